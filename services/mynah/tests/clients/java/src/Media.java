import cn.jmessage.api.JMessageClient;
import cn.jmessage.api.resource.UploadResult;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.zip.CRC32;
import javax.imageio.ImageIO;

/** Uploads and downloads. */
final class Media {
    private static final JMessageClient CLIENT = World.CLIENT;

    private Media() {}

    static void flows() {
        Suite.flow("a picture is uploaded", Media::picture);
        Suite.flow("a file and a voice are uploaded and come back", Media::files);
        Suite.flow("what is no picture", Media::refused);
    }

    /** A file that is there while the work is done. */
    private static void with(String name, byte[] bytes, Work work) throws Exception {
        Path folder = Files.createTempDirectory("mynah-java-suite");
        Path file = folder.resolve(name);
        try {
            Files.write(file, bytes);
            work.with(file.toString());
        } finally {
            Files.deleteIfExists(file);
            Files.delete(folder);
        }
    }

    private interface Work {
        void with(String path) throws Exception;
    }

    private static long crc(byte[] bytes) {
        CRC32 crc = new CRC32();
        crc.update(bytes);
        return crc.getValue();
    }

    /** A defect of the client: it ends every file with a line end that the file does not have. */
    private static byte[] asSent(byte[] bytes) {
        byte[] sent = Arrays.copyOf(bytes, bytes.length + 2);
        sent[bytes.length] = '\r';
        sent[bytes.length + 1] = '\n';
        return sent;
    }

    private static void picture() throws Exception {
        var out = new ByteArrayOutputStream();
        ImageIO.write(new BufferedImage(5, 3, BufferedImage.TYPE_INT_RGB), "png", out);
        byte[] bytes = out.toByteArray();
        byte[] sent = asSent(bytes);
        with("a.png", bytes, path -> {
            UploadResult got = CLIENT.uploadFile(path, "image");
            Check.equal(List.of(crc(sent), 5, 3, "png", sent.length), List.of(got.getMediaCrc32(), got.getWidth(), got.getHeight(),
                    got.getFormat(), got.getFileSize()));
            Check.that(CLIENT.downloadFile(got.getMediaId()).getUrl().startsWith("http"), got.getMediaId());
        });
    }

    private static void files() throws Exception {
        String said = "line one\r\nline two\r\n";
        byte[] bytes = said.getBytes(StandardCharsets.UTF_8);
        byte[] sent = asSent(bytes);
        with("plan b.txt", bytes, path -> {
            UploadResult got = CLIENT.uploadFile(path, "file");
            // The client sends the whole path: only the name is kept.
            Check.equal(List.of("plan b.txt", sent.length, crc(sent)), List.of(got.getFileName(), got.getFileSize(), got.getMediaCrc32()));
            Check.equal(said + "\r\n", World.get(CLIENT.downloadFile(got.getMediaId()).getUrl()));
        });
        with("a.m4a", bytes, path -> {
            UploadResult got = CLIENT.uploadFile(path, "voice");
            Check.equal(List.of("m4a", sent.length), List.of(got.getFormat(), got.getFileSize()));
        });
    }

    private static void refused() throws Exception {
        // A defect of the client: it writes the refusal to the error stream and returns nothing.
        PrintStream before = System.err;
        var written = new ByteArrayOutputStream();
        System.setErr(new PrintStream(written, true));
        try {
            with("a.png", new byte[] {1, 2, 3}, path -> Check.equal(null, CLIENT.uploadFile(path, "image")));
        } finally {
            System.setErr(before);
        }
        Check.that(written.toString().contains("ResourceClient.uploadFile"), written);
        Check.refused(404, 899003, () -> CLIENT.downloadFile("qiniu/image/j/NOBODY"));
    }
}
