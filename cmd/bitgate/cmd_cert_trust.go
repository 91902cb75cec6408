package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"bitgate/bitbucket"
	"bitgate/certs"
	"bitgate/certs/keystore"
	"bitgate/internal/atomicfile"
	"bitgate/internal/problem"
)

type trustOptions struct {
	url          string
	home         string
	store        string
	out          string
	passwordFile string
}

func newCertTrust(p *process) *cobra.Command {
	o := trustOptions{}
	c := &cobra.Command{
		Use:   "trust ROOT",
		Short: "Say how clients, and Bitbucket itself, come to trust a company's root",
		Long: `Shows what to run so that git, Debian, Red Hat, Windows and Java trust the root
certificate in ROOT, and looks whether Bitbucket's own Java does: it is the client of
its own address for application links, webhooks and mirrors.`,
		Example: `  bitgate cert trust corp-root.pem --url https://git.example.com
  bitgate cert trust corp-root.pem -o /etc/bitgate/truststore.p12`,
		Args: args(1, 1),
		RunE: func(c *cobra.Command, files []string) error { return trustCert(c.Context(), p, o, files[0]) },
	}
	c.Flags().StringVar(&o.url, "url", "https://git.example.com", "public `URL` in the commands that are shown")
	c.Flags().StringVar(&o.home, "home", "", "Bitbucket's home `DIR`, where it is not found")
	c.Flags().StringVar(&o.store, "trust-store", "", "look into this `FILE` instead of the running Bitbucket's trust store")
	c.Flags().StringVar(&o.passwordFile, "cert-password-file", "", "`FILE` with the password of the trust store, where it is not Java's usual one; - for standard input")
	c.Flags().StringVarP(&o.out, "out", "o", "", "write a trust store `FILE` (PKCS#12) with all that Bitbucket's Java trusts, and the root")
	return c
}

func trustCert(ctx context.Context, p *process, o trustOptions, file string) error {
	roots, err := certs.Roots(file)
	if err != nil {
		return err
	}
	if file, err = filepath.Abs(file); err != nil {
		return err
	}
	file, first, err := onePEM(roots[0], file)
	if err != nil {
		return err
	}
	for _, l := range slices.Concat(first, trustCommands(roots[0], file, o.url)) {
		out(p.Out, "%s", l)
	}
	where := bitbucket.TrustStore{Path: o.store, Why: "--trust-store"}
	if o.store == "" {
		install, err := bitbucket.Detect(ctx, bitbucket.Search{Home: o.home, Proc: p.Proc, Root: p.Root})
		if err != nil {
			return err
		}
		if install.PID == 0 {
			out(p.Out, "\nBitbucket does not run here, so its Java was not looked at.")
			return nil
		}
		if where, err = bitbucket.TrustStoreOf(p.Proc, install.PID); err != nil {
			return err
		}
	}
	password := newCertPassword(p, o.passwordFile)
	defer password.wipe()
	authorities, err := readTrustStore(ctx, where, password)
	if err != nil {
		return err
	}
	out(p.Out, "")
	p.text().Finding(trustFinding(where, authorities, roots[0], file, o.out))
	if o.out == "" {
		return nil
	}
	return writeTrustStore(p, o.out, authorities, roots)
}

// rootName is what the root's file is called where it is installed.
func rootName(root *x509.Certificate) string {
	return "bitgate-" + strings.ToLower(strings.Join(strings.FieldsFunc(cmp.Or(root.Subject.CommonName, root.Subject.String()), func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9')
	}), "-"))
}

// onePEM is the file that has the root alone, in PEM: git, Debian and Red Hat read nothing
// else. Where file is another, its result is made by the commands.
func onePEM(root *x509.Certificate, file string) (made string, commands []string, err error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return "", nil, err
	}
	if block, rest := pem.Decode(data); block != nil && block.Type == "CERTIFICATE" && bytes.Equal(block.Bytes, root.Raw) {
		if more, _ := pem.Decode(rest); more == nil {
			return file, nil, nil
		}
	}
	made = filepath.Join(filepath.Dir(file), rootName(root)+".pem")
	if made == file {
		made += ".pem"
	}
	word := problem.ShellWord(made)
	commands = []string{"What follows reads the root alone, in PEM. First:", ""}
	if bytes.Equal(data, root.Raw) {
		commands = append(commands, "openssl x509 -inform DER -in "+problem.ShellWord(file)+" -out "+word)
	} else {
		text := strings.Split(strings.TrimSpace(string(certs.PEM([]*x509.Certificate{root}))), "\n")
		commands = slices.Concat(commands, []string{"cat >" + word + " <<'EOF'"}, text, []string{"EOF"})
	}
	return made, append(commands, ""), nil
}

// trustCommands are what makes the root known, by kind of client.
func trustCommands(root *x509.Certificate, file, url string) []string {
	word, name := problem.ShellWord(file), rootName(root)
	return []string{
		"Root    " + root.Subject.String() + ", until " + root.NotAfter.UTC().Format("2006-01-02"),
		"",
		"git     git config --global http." + url + "/.sslCAInfo " + word,
		"Debian  cp " + word + " /usr/local/share/ca-certificates/" + name + ".crt && update-ca-certificates",
		"RHEL    cp " + word + " /etc/pki/ca-trust/source/anchors/" + name + ".pem && update-ca-trust",
		"Windows certutil -addstore Root " + name + ".crt   and for git: git config --global http.sslBackend schannel",
		"Java    keytool -importcert -noprompt -alias " + name + " -file " + word + " -cacerts -storepass changeit   (Jira, Bamboo, Confluence)",
	}
}

// readTrustStore lists what Java trusts.
func readTrustStore(ctx context.Context, where bitbucket.TrustStore, password *certPassword) ([]keystore.Trust, error) {
	var data []byte
	file, err := certs.Open(where.Path)
	if err == nil {
		defer file.Close()
		data, err = io.ReadAll(io.LimitReader(file, maxInput+1))
	}
	if err != nil {
		return nil, problem.Wrap(err, "Bitbucket's trust store cannot be read", "nobody knows then what its Java trusts ("+where.Why+")", "run this as root")
	}
	passwords := [][]byte{[]byte(where.Password), []byte("changeit")} // Java's usual one
	s, err := keystore.Read(data, passwords...)
	if locked := (*keystore.LockedError)(nil); errors.As(err, &locked) {
		var more [][]byte
		if more, err = password.ask(ctx)(err); err == nil {
			s, err = keystore.Read(data, append(more, passwords...)...)
		}
	}
	if err != nil {
		return nil, problem.Wrap(err, where.Path, "it is the trust store of Bitbucket's Java ("+where.Why+")", "give its password: --cert-password-file FILE")
	}
	var all []keystore.Trust
	for i, e := range s.Entries {
		for _, c := range e.Certs {
			if !e.HasKey() {
				alias := cmp.Or(e.Alias, fmt.Sprintf("trusted-%d", i))
				all = append(all, keystore.Trust{Alias: alias, Cert: c})
			}
		}
	}
	return all, nil
}

func trustFinding(where bitbucket.TrustStore, authorities []keystore.Trust, root *x509.Certificate, file, made string) problem.Finding {
	for _, t := range authorities {
		if t.Cert.Equal(root) {
			return problem.Finding{ID: "trust", Level: problem.OK, Found: "Bitbucket's Java trusts it: " + where.Path + " has it as " + t.Alias}
		}
	}
	f := problem.Finding{
		ID: "trust", Level: problem.Warn, Found: fmt.Sprintf("Bitbucket's Java does not trust it: it is not among the %d authorities in %s (%s)", len(authorities), where.Path, where.Why),
		Why: "Bitbucket is refused by its own address then: application links, webhooks to itself, mirrors",
		Do: "keytool -importcert -noprompt -alias bitgate-root -file " + problem.ShellWord(file) + " -keystore " + problem.ShellWord(where.Path) +
			" -storepass changeit, and restart Bitbucket; an upgrade that brings its own Java replaces that file, so better a trust store of your own: -o FILE",
	}
	if made != "" {
		f.Do = "have it read the file that is written now: JVM_SUPPORT_RECOMMENDED_ARGS=\"-Djavax.net.ssl.trustStore=" + made + " -Djavax.net.ssl.trustStorePassword=changeit\", and restart Bitbucket"
	}
	return f
}

func writeTrustStore(p *process, file string, authorities []keystore.Trust, roots []*x509.Certificate) error {
	if exists(file) {
		return problem.New(file+" is there already", "somebody may use it", "choose another name with -o")
	}
	for i, root := range roots {
		authorities = append(authorities, keystore.Trust{Alias: fmt.Sprintf("bitgate-root-%d", i+1), Cert: root})
	}
	data, err := keystore.WriteTrust(keystore.Legacy, authorities, []byte("changeit"))
	if err != nil {
		return err
	}
	if err := (atomicfile.Writer{}).Create(file, data, 0o644, -1, -1); err != nil {
		return problem.Wrap(err, "the trust store could not be written", "", "")
	}
	out(p.Out, "%s: %d authorities, password changeit (nothing in it is secret)", file, len(authorities))
	return nil
}
