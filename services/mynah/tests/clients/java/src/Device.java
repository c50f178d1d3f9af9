import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** A device that is logged in and hears what is sent to its user. */
final class Device implements AutoCloseable {
    private final LinkedBlockingQueue<JsonObject> heard = new LinkedBlockingQueue<>();
    private final WebSocket socket;
    private final boolean loggedIn;

    Device(String username, String password) throws Exception {
        this(World.APPKEY, username, password);
    }

    Device(String appkey, String username, String password) throws Exception {
        URI address = URI.create(World.SERVER.replaceFirst("http", "ws") + "/v1/ws");
        socket = HttpClient.newHttpClient().newWebSocketBuilder().subprotocols("mynah.v1.json").buildAsync(address, new Listener()).join();
        say("{\"id\":1,\"hello\":{\"appkey\":\"" + appkey + "\",\"platform\":\"a\",\"device_id\":\"" + World.fresh("phone") + "\"}}");
        say("{\"id\":2,\"login\":{\"username\":\"" + username + "\",\"password\":\"" + password + "\"}}");
        loggedIn = answer(2).has("login_ack");
    }

    boolean isLoggedIn() {
        return loggedIn;
    }

    /** From now on it hears the room. */
    void enter(long room) throws Exception {
        say("{\"id\":3,\"room_enter\":{\"room_id\":\"" + room + "\"}}");
        Check.that(answer(3).has("room_state"), room);
    }

    /** The next entry of a kind that is delivered. */
    JsonObject entry(String kind) throws Exception {
        while (true) {
            JsonObject entry = next();
            if (entry.has("conv_id") && entry.has(kind)) return entry;
        }
    }

    /** Why the server ended the session. */
    String kicked() throws Exception {
        while (true) {
            JsonObject frame = next();
            if (frame.has("kicked")) return frame.getAsJsonObject("kicked").get("reason").getAsString();
        }
    }

    @Override
    public void close() {
        socket.abort();
    }

    private JsonObject answer(int id) throws Exception {
        while (true) {
            JsonObject frame = next();
            if (frame.has("id") && frame.get("id").getAsInt() == id) return frame;
        }
    }

    private JsonObject next() throws Exception {
        JsonObject frame = heard.poll(20, TimeUnit.SECONDS);
        if (frame == null) throw new AssertionError("the device heard nothing");
        return frame;
    }

    private void say(String frame) {
        socket.sendText(frame, true).join();
    }

    private final class Listener implements WebSocket.Listener {
        private final StringBuilder text = new StringBuilder();

        @Override
        public CompletionStage<?> onText(WebSocket socket, CharSequence part, boolean last) {
            text.append(part);
            if (last) {
                for (String line : text.toString().split("\n")) hear(new JsonParser().parse(line).getAsJsonObject());
                text.setLength(0);
            }
            socket.request(1);
            return null;
        }

        /** Entries are kept one by one. */
        private void hear(JsonObject frame) {
            if (!frame.has("deliver")) {
                heard.add(frame);
                return;
            }
            for (JsonElement entry : frame.getAsJsonObject("deliver").getAsJsonArray("entries")) heard.add(entry.getAsJsonObject());
        }
    }
}
