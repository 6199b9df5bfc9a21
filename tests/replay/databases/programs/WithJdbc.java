/** pgjdbc: what a Java service does, from a pool's probe to a batch. Prints everything it was told. */

import java.net.URI;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.sql.Statement;
import java.util.Arrays;
import java.util.Properties;

public final class WithJdbc {
    public static void main(String[] words) throws Exception {
        URI named = URI.create(System.getenv("DB_URL"));
        String[] who = named.getUserInfo().split(":", 2);
        Properties properties = new Properties();
        properties.setProperty("user", who[0]);
        properties.setProperty("password", who[1]);
        properties.setProperty("sslmode", "disable");
        String url = "jdbc:postgresql://" + named.getHost() + ":" + named.getPort() + named.getPath();
        try (Connection connection = DriverManager.getConnection(url, properties)) {
            System.out.println("valid " + connection.isValid(5));
            tables(connection);
            reads(connection);
            transactions(connection);
            describes(connection);
        }
    }

    private static void tables(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute("drop table if exists jdbc_part");
            statement.execute("create table jdbc_part (id int primary key, name text, price numeric(9,2), "
                    + "made timestamptz, tags text[], ok boolean, raw bytea)");
        }
        try (PreparedStatement insert = connection.prepareStatement(
                "insert into jdbc_part values (?, ?, ?, ?::timestamptz, ?, ?, ?)")) {
            for (int id = 1; id <= 8; id++) {
                insert.setInt(1, id);
                insert.setString(2, id == 3 ? null : "part " + id);
                insert.setBigDecimal(3, new java.math.BigDecimal(id + ".50"));
                insert.setString(4, "2024-02-0" + id + " 03:04:05+00");
                insert.setArray(5, connection.createArrayOf("text", new String[] {"a" + id, "b c"}));
                insert.setBoolean(6, id % 2 == 0);
                insert.setBytes(7, new byte[] {0, 1, (byte) id});
                insert.addBatch();
            }
            System.out.println("batch " + Arrays.toString(insert.executeBatch()));
        }
    }

    /** Seven times: pgjdbc names its statement from the fifth on and asks for binary results. */
    private static void reads(Connection connection) throws SQLException {
        try (PreparedStatement select = connection.prepareStatement(
                "select id, name, price, made, tags, ok, raw from jdbc_part where id = ?")) {
            for (int id = 1; id <= 7; id++) {
                select.setInt(1, id);
                try (ResultSet rows = select.executeQuery()) {
                    while (rows.next()) {
                        System.out.println(rows.getInt(1) + " " + rows.getString(2) + " " + rows.getBigDecimal(3) + " "
                                + rows.getTimestamp(4).toInstant() + " " + Arrays.toString((Object[]) rows.getArray(5).getArray())
                                + " " + rows.getBoolean(6) + " " + Arrays.toString(rows.getBytes(7)));
                    }
                }
            }
        }
        connection.setAutoCommit(false);
        try (PreparedStatement all = connection.prepareStatement("select id from jdbc_part order by id")) {
            all.setFetchSize(3); // a portal that is read in pieces
            try (ResultSet rows = all.executeQuery()) {
                StringBuilder seen = new StringBuilder("pieces");
                while (rows.next()) {
                    seen.append(' ').append(rows.getInt(1));
                }
                System.out.println(seen);
            }
        }
        connection.commit();
    }

    private static void transactions(Connection connection) throws SQLException {
        connection.setTransactionIsolation(Connection.TRANSACTION_REPEATABLE_READ);
        try (Statement statement = connection.createStatement()) {
            System.out.println("changed " + statement.executeUpdate("update jdbc_part set name = 'x' where id = 1"));
            Savepoint point = connection.setSavepoint("here");
            try {
                statement.executeUpdate("insert into jdbc_part (id) values (1)");
            } catch (SQLException error) {
                System.out.println("refused " + error.getSQLState());
                connection.rollback(point);
            }
            connection.rollback();
            try (ResultSet rows = statement.executeQuery("select name from jdbc_part where id = 1")) {
                rows.next();
                System.out.println("name " + rows.getString(1));
            }
            connection.commit();
        }
        connection.setAutoCommit(true);
        try (PreparedStatement returning = connection.prepareStatement(
                "insert into jdbc_part (id, name) values (9, 'nine')", Statement.RETURN_GENERATED_KEYS)) {
            returning.executeUpdate();
            try (ResultSet keys = returning.getGeneratedKeys()) {
                keys.next();
                System.out.println("key " + keys.getInt("id"));
            }
        }
    }

    private static void describes(Connection connection) throws SQLException {
        DatabaseMetaData about = connection.getMetaData();
        System.out.println(about.getDatabaseProductName());
        try (ResultSet columns = about.getColumns(null, null, "jdbc_part", null)) {
            while (columns.next()) {
                System.out.println(columns.getString("COLUMN_NAME") + " " + columns.getString("TYPE_NAME"));
            }
        }
        try (Statement statement = connection.createStatement()) {
            statement.execute("drop table jdbc_part");
        }
    }
}
