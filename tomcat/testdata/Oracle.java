import java.io.InputStream;
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.Properties;
import java.util.TreeSet;
import javax.xml.parsers.SAXParserFactory;
import org.xml.sax.Attributes;
import org.xml.sax.InputSource;
import org.xml.sax.SAXParseException;
import org.xml.sax.helpers.DefaultHandler;

/** Prints what Java itself reads from files: "properties FILE..." or "xml FILE...", every text in Base64. */
class Oracle {
    static final StringBuilder out = new StringBuilder();

    public static void main(String[] args) throws Exception {
        for (int i = 1; i < args.length; i++) {
            out.append("FILE\n");
            try (InputStream in = Files.newInputStream(Path.of(args[i]))) {
                if (args[0].equals("xml")) {
                    xml(in);
                } else {
                    properties(in);
                }
            } catch (Exception e) {
                out.append("REFUSED\n");
            }
        }
        System.out.print(out);
    }

    static void properties(InputStream in) throws Exception {
        Properties p = new Properties();
        p.load(in);
        for (String key : new TreeSet<>(p.stringPropertyNames())) {
            out.append("KEY ").append(text(key)).append(' ').append(text(p.getProperty(key))).append('\n');
        }
    }

    static void xml(InputStream in) throws Exception {
        SAXParserFactory.newInstance().newSAXParser().parse(in, new DefaultHandler() {
            @Override
            public InputSource resolveEntity(String publicId, String systemId) {
                return new InputSource(new StringReader(""));
            }

            @Override
            public void fatalError(SAXParseException e) throws SAXParseException {
                throw e;
            }

            @Override
            public void startElement(String uri, String local, String name, Attributes attributes) {
                out.append("ELEMENT ").append(text(name)).append('\n');
                for (int i = 0; i < attributes.getLength(); i++) {
                    out.append("ATTRIBUTE ").append(text(attributes.getQName(i))).append(' ').append(text(attributes.getValue(i))).append('\n');
                }
            }
        });
    }

    static String text(String s) {
        return Base64.getEncoder().encodeToString(s.getBytes(StandardCharsets.UTF_8));
    }
}
