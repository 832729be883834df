// SPDX-License-Identifier: BSD-2-Clause
// Java's HttpClient: `Client URL` prints what it got from the origin of run.mjs, a word a request.
import java.io.ByteArrayInputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

public class Client {
    private static final HttpClient client = HttpClient.newBuilder()
        .followRedirects(HttpClient.Redirect.NORMAL).build();

    private static String ask(HttpRequest.Builder request) throws Exception {
        HttpResponse<byte[]> answer =
            client.send(request.build(), HttpResponse.BodyHandlers.ofByteArray());
        return answer.statusCode() + "/" + answer.body().length;
    }

    public static void main(String[] words) throws Exception {
        String url = words[0];
        byte[] megabyte = new byte[1000000];
        byte[] more = new byte[1000003];
        List<String> got = new ArrayList<>();

        Arrays.fill(megabyte, (byte) 'x');
        for (int i = 0; i < 20; i++) {
            got.add(ask(HttpRequest.newBuilder(URI.create(url + "/bytes/100"))));
        }
        for (String path : List.of("/bytes/10000000", "/chunks", "/missing", "/moved")) {
            got.add(ask(HttpRequest.newBuilder(URI.create(url + path))));
        }
        got.add(ask(HttpRequest.newBuilder(URI.create(url + "/length"))
            .POST(HttpRequest.BodyPublishers.ofByteArray(megabyte))));
        got.add(ask(HttpRequest.newBuilder(URI.create(url + "/length"))
            .POST(HttpRequest.BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(more)))));
        System.out.println(String.join(" ", got));
    }
}
