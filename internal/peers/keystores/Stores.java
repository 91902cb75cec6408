import java.io.*;
import java.security.*;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import javax.crypto.spec.SecretKeySpec;

/** Makes key stores as Java and Bouncy Castle write them. */
class Stores {
    static final char[] SECRET = "secret".toCharArray();
    static Certificate root;

    /** Adds the one entry of a .pfx under an alias. */
    static void add(KeyStore to, String alias, String pfx, char[] password) throws Exception {
        KeyStore from = KeyStore.getInstance("PKCS12");
        try (InputStream in = new FileInputStream(pfx)) {
            from.load(in, SECRET);
        }
        String name = from.aliases().nextElement();
        to.setKeyEntry(alias, from.getKey(name, SECRET), password, from.getCertificateChain(name));
    }

    static KeyStore store(String type, Provider p) throws Exception {
        KeyStore s = p == null ? KeyStore.getInstance(type) : KeyStore.getInstance(type, p);
        s.load(null, null);
        return s;
    }

    static void write(KeyStore s, String file, char[] password) throws Exception {
        try (OutputStream out = new FileOutputStream(file)) {
            s.store(out, password);
        }
    }

    public static void main(String[] args) throws Exception {
        try (InputStream in = new FileInputStream("root.pem")) {
            root = CertificateFactory.getInstance("X.509").generateCertificate(in);
        }
        KeyStore s = store("PKCS12", null);
        add(s, "git", "modern.pfx", SECRET);
        write(s, "java.p12", SECRET);

        s = store("PKCS12", null); // several keys and a trusted certificate
        add(s, "git", "modern.pfx", SECRET);
        add(s, "second", "other.pfx", SECRET);
        add(s, "old", "old.pfx", SECRET);
        s.setCertificateEntry("corproot", root);
        write(s, "multi.p12", SECRET);

        s = store("JKS", null); // the key has a password of its own
        add(s, "tomcat", "modern.pfx", SECRET);
        add(s, "second", "other.pfx", SECRET);
        s.setCertificateEntry("corproot", root);
        write(s, "twopass.jks", "storepw".toCharArray());

        s = store("JKS", null);
        add(s, "g\u00eft", "modern.pfx", "p\u00e4ssw\u00f6rd".toCharArray());
        write(s, "umlaut.jks", "p\u00e4ssw\u00f6rd".toCharArray());

        s = store("JCEKS", null);
        add(s, "git", "modern.pfx", SECRET);
        s.setCertificateEntry("corproot", root);
        write(s, "store.jceks", SECRET);

        s = store("JCEKS", null); // an AES key among them
        add(s, "git", "modern.pfx", SECRET);
        s.setKeyEntry("aes", new SecretKeySpec(new byte[16], "AES"), SECRET, null);
        write(s, "secret.jceks", SECRET);

        s = store("PKCS12", null);
        s.setCertificateEntry("corproot", root);
        write(s, "trust.p12", "changeit".toCharArray());

        Provider bc = (Provider) Class.forName("org.bouncycastle.jce.provider.BouncyCastleProvider").getConstructor().newInstance();
        s = store("PKCS12", bc); // BER
        add(s, "git", "modern.pfx", null);
        write(s, "bc.p12", SECRET);
        s = store("PKCS12-3DES-3DES", bc);
        add(s, "git", "modern.pfx", null);
        write(s, "bc3des.p12", SECRET);

        System.setProperty("keystore.pkcs12.legacy", ""); // as Java 8 wrote it
        Security.setProperty("keystore.pkcs12.legacy", "");
        s = store("PKCS12", null);
        add(s, "git", "modern.pfx", SECRET);
        s.setKeyEntry("aes", new SecretKeySpec(new byte[16], "AES"), SECRET, null);
        write(s, "java8.p12", SECRET);
    }
}
