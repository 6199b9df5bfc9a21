import java.net.HttpURLConnection;
import java.net.URI;
import java.net.URL;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;

/** Calls every service URL with both of Java's own clients and prints one line for each call. */
public class Clients {
    interface Client {
        String get(String url) throws Exception;
    }

    static String byHttpClient(String url) throws Exception {
        HttpRequest request = HttpRequest.newBuilder(URI.create(url)).timeout(Duration.ofSeconds(20)).build();
        return HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString()).body();
    }

    static String byUrlConnection(String url) throws Exception {
        HttpURLConnection connection = (HttpURLConnection) new URL(url).openConnection();
        connection.setReadTimeout(20_000);
        return new String(connection.getInputStream().readAllBytes());
    }

    static void call(String name, Client client, String base) {
        String outcome;
        try {
            outcome = client.get(base + "/java/" + name);
        } catch (Exception error) {
            outcome = error.toString().replace('\n', ' ');
        }
        System.out.println("java/" + name + "\t" + base + "\t" + outcome);
    }

    public static void main(String[] bases) {
        for (String base : bases) {
            call("HttpClient", Clients::byHttpClient, base);
            call("HttpURLConnection", Clients::byUrlConnection, base);
        }
    }
}
