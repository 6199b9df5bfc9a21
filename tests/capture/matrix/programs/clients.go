// Calls every service URL with net/http and prints one line for each call; then the URL that ORDERS_URL names.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

var client = http.Client{Timeout: 20 * time.Second}

func get(url string) string {
	response, err := client.Get(url)
	if err != nil {
		return strings.ReplaceAll(err.Error(), "\n", " ")
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err.Error()
	}
	return string(body)
}

func main() {
	for _, base := range os.Args[1:] {
		fmt.Printf("go/net-http\t%s\t%s\n", base, get(base+"/go/net-http"))
	}
	fmt.Printf("go/net-http-map\tmap\t%s\n", get(os.Getenv("ORDERS_URL")+"/go/net-http-map"))
}
