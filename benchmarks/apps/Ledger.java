import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.UUID;
import java.util.concurrent.Executors;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A ledger: snowflake ids, decimal money, transfers, rates, an XML statement. Run: java Ledger PORT */
public class Ledger {
    static final SecureRandom DICE = new SecureRandom();
    static final long OFFSET = (long) (Double.parseDouble(System.getenv().getOrDefault("BENCH_CLOCK", "0")) * 1000);
    static final String SERVICES = System.getenv("BENCH_SERVICES");
    static final HttpClient CLIENT = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    static final DateTimeFormatter RFC_1123 = DateTimeFormatter.RFC_1123_DATE_TIME.withZone(ZoneOffset.UTC);

    record Account(String id, String owner, String currency, List<String> entries, BigDecimal[] balance, String opened) {}

    static Map<String, Account> accounts;
    static Map<String, String> transfers;
    static String tenant;
    static String bank;
    static long sequence;

    static synchronized void fresh() {
        Random seeded = new Random(("ledger:" + System.getenv().getOrDefault("BENCH_SEED", "1")).hashCode());
        accounts = new LinkedHashMap<>();
        transfers = new LinkedHashMap<>();
        tenant = List.of("retail", "private").get(seeded.nextInt(2));
        bank = List.of("Banque du Rhône", "Bank Śląski", "Nordbanken").get(seeded.nextInt(3));
        sequence = 500 + DICE.nextInt(3000);
    }

    static long millis() { return System.currentTimeMillis() + OFFSET; }

    static synchronized String snowflake() {
        return Long.toString(((millis() - 1288834974657L) << 22) | ((long) DICE.nextInt(1024) << 12) | (sequence++ & 4095));
    }

    static String text(String value) {
        return value == null ? "null" : '"' + value.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
    }

    /** The value of a top-level member of a small JSON object. */
    static String member(String json, String name) {
        Matcher found = Pattern.compile('"' + name + "\"\\s*:\\s*(?:\"([^\"]*)\"|([^,}\\s]+))").matcher(json);
        return !found.find() ? null : found.group(1) != null ? found.group(1) : found.group(2);
    }

    static String call(String method, String path, String body) throws Exception {
        HttpRequest.BodyPublisher sent = body == null ? HttpRequest.BodyPublishers.noBody() : HttpRequest.BodyPublishers.ofString(body);
        HttpRequest request = HttpRequest.newBuilder(URI.create(SERVICES + "/t/" + tenant + path)).method(method, sent)
            .header("Content-Type", "application/json").build();
        HttpResponse<String> answer = CLIENT.send(request, HttpResponse.BodyHandlers.ofString());
        if (answer.statusCode() >= 300) throw new IllegalStateException("the service answered " + answer.statusCode());
        return answer.body();
    }

    static String shown(Account account) {
        return "{\"account_id\":" + text(account.id) + ",\"owner\":" + text(account.owner) + ",\"currency\":" + text(account.currency)
            + ",\"balance\":" + account.balance[0] + ",\"bank\":{\"name\":" + text(bank) + ",\"tier\":2,\"verified\":true}"
            + ",\"entries\":" + account.entries.size() + ",\"opened\":" + text(account.opened) + ",\"closed\":null}";
    }

    record Answer(int status, String type, String body, Map<String, String> headers) {
        Answer(int status, String body) { this(status, "application/json", body, Map.of()); }
    }

    static Answer open(String body) {
        String id = snowflake();
        Account account = new Account(id, member(body, "owner"), member(body, "currency"), new ArrayList<>(),
            new BigDecimal[] {new BigDecimal("0.00")}, Instant.ofEpochMilli(millis()).toString());
        accounts.put(id, account);
        return new Answer(201, "application/json", shown(account), Map.of("Location", "/accounts/" + id));
    }

    static Answer deposit(Account account, String body) {
        BigDecimal amount = new BigDecimal(member(body, "amount"));
        account.balance[0] = account.balance[0].add(amount);
        String entry = "{\"entry_id\":" + text(snowflake()) + ",\"kind\":\"deposit\",\"amount\":" + amount + ",\"balance\":" + account.balance[0]
            + ",\"booked\":" + millis() + ",\"memo\":" + text(member(body, "memo")) + "}";
        account.entries.add(entry);
        return new Answer(201, entry);
    }

    static Answer transfer(String body) throws Exception {
        Account from = accounts.get(member(body, "from_account")), to = accounts.get(member(body, "to_account"));
        BigDecimal amount = new BigDecimal(member(body, "amount"));
        if (from == null || to == null) return new Answer(404, "{\"error\":\"account_unknown\",\"retryable\":false}");
        if (from.balance[0].compareTo(amount) < 0) {
            return new Answer(422, "{\"error\":\"insufficient_funds\",\"available\":" + from.balance[0] + ",\"retryable\":false}");
        }
        BigDecimal rate = BigDecimal.ONE.setScale(5);
        if (!from.currency.equals(to.currency)) {
            rate = new BigDecimal(member(call("GET", "/rates/" + from.currency + "?quote=" + to.currency, null), "rate"));
        }
        BigDecimal credited = amount.multiply(rate).setScale(2, RoundingMode.HALF_EVEN);
        String id = UUID.randomUUID().toString();
        String charge = call("POST", "/charges", "{\"reference\":" + text(id) + ",\"amount\":" + amount.movePointRight(2).intValue()
            + ",\"currency\":" + text(from.currency) + ",\"customer\":" + text(from.owner) + "}");
        from.balance[0] = from.balance[0].subtract(amount);
        to.balance[0] = to.balance[0].add(credited);
        String shown = "{\"transfer_id\":" + text(id) + ",\"from\":" + text(from.id) + ",\"to\":" + text(to.id) + ",\"amount\":" + amount
            + ",\"credited\":" + credited + ",\"rate\":" + rate + ",\"state\":\"settled\",\"charge\":" + text(member(charge, "id"))
            + ",\"settled_at\":" + text(Instant.ofEpochMilli(millis()).toString()) + ",\"sequence\":" + sequence++ + ",\"steps\":["
            + "{\"name\":\"debit\",\"ok\":true},{\"name\":\"convert\",\"ok\":true},{\"name\":\"credit\",\"ok\":true}]}";
        transfers.put(id, shown);
        for (Account side : List.of(from, to)) side.entries.add("{\"entry_id\":" + text(snowflake()) + ",\"kind\":\"transfer\",\"amount\":"
            + (side == from ? amount.negate() : credited) + ",\"balance\":" + side.balance[0] + ",\"booked\":" + millis() + ",\"memo\":null}");
        return new Answer(201, shown);
    }

    static Answer statement(Account account) {
        StringBuilder xml = new StringBuilder("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<statement account=\"" + account.id + "\" bank=\"" + bank
            + "\">\n  <issued>" + Instant.ofEpochMilli(millis()) + "</issued>\n");
        for (String entry : account.entries) xml.append("  <entry kind=\"" + member(entry, "kind") + "\"><amount>" + member(entry, "amount")
            + "</amount><balance>" + member(entry, "balance") + "</balance></entry>\n");
        return new Answer(200, "application/xml; charset=UTF-8", xml + "</statement>\n", Map.of("Content-Language", "en"));
    }

    static synchronized Answer route(String method, String path, String query, String body) throws Exception {
        String[] parts = path.substring(1).split("/");
        Account account = parts.length > 1 && parts[0].equals("accounts") ? accounts.get(parts[1]) : null;
        if (path.equals("/__reset")) { fresh(); return new Answer(204, null, "", Map.of()); }
        if (path.equals("/accounts") && method.equals("POST")) return open(body);
        if (path.equals("/accounts")) {
            List<String> all = new ArrayList<>();
            for (Account one : accounts.values()) all.add(shown(one));
            return new Answer(200, "{\"accounts\":[" + String.join(",", all) + "],\"as_of\":" + millis() + "}");
        }
        if (path.equals("/currencies")) {
            List<String> codes = new ArrayList<>(List.of("\"EUR\"", "\"USD\"", "\"CHF\"", "\"SEK\"", "\"PLN\""));
            Collections.shuffle(codes, DICE);
            return new Answer(200, "application/json", "{\"currencies\":[" + String.join(",", codes) + "],\"version\":7,\"query_ms\":"
                + (DICE.nextDouble() * 4 + 0.2) + "}", Map.of("Cache-Control", "max-age=600", "ETag", "\"v7-" + UUID.randomUUID() + "\""));
        }
        if (path.equals("/transfers") && method.equals("POST")) return transfer(body);
        if (parts[0].equals("transfers") && transfers.containsKey(parts[1])) return new Answer(200, transfers.get(parts[1]));
        if (account == null) return new Answer(404, "{\"error\":\"not_found\",\"retryable\":false}");
        if (parts.length == 2) return new Answer(200, shown(account));
        if (parts[2].equals("deposits")) return deposit(account, body);
        if (parts[2].equals("statement.xml")) return statement(account);
        return new Answer(200, "[" + String.join(",", account.entries) + "]");
    }

    static void serve(HttpExchange exchange) throws java.io.IOException {
        String body = new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8);
        Answer answer;
        try {
            answer = route(exchange.getRequestMethod(), exchange.getRequestURI().getPath(), exchange.getRequestURI().getQuery(), body);
        } catch (Exception error) {
            answer = new Answer(502, "{\"error\":\"upstream\",\"detail\":" + text(error.toString()) + "}");
        }
        byte[] data = answer.body.getBytes(StandardCharsets.UTF_8);
        if (answer.type != null) exchange.getResponseHeaders().set("Content-Type", answer.type);
        answer.headers.forEach(exchange.getResponseHeaders()::set);
        exchange.getResponseHeaders().set("X-Request-Id", UUID.randomUUID().toString());
        exchange.getResponseHeaders().set("X-Served-At", RFC_1123.format(Instant.ofEpochMilli(millis())));
        exchange.sendResponseHeaders(answer.status, data.length == 0 ? -1 : data.length);
        if (data.length > 0) exchange.getResponseBody().write(data);
        exchange.close();
    }

    public static void main(String[] arguments) throws Exception {
        fresh();
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(arguments[0])), 0);
        server.createContext("/", Ledger::serve);
        server.setExecutor(Executors.newFixedThreadPool(4));
        server.start();
    }
}
