package main

import (
	"crypto"
	"crypto/x509/pkix"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bitgate/certs"
	"bitgate/certs/store"
	"bitgate/internal/problem"
)

type requestOptions struct {
	hosts    []string
	key      string
	subject  string
	out      string
	stateDir string
}

func newCertRequest(p *process) *cobra.Command {
	o := requestOptions{}
	c := &cobra.Command{
		Use:   "request",
		Short: "Make a key and the request for your company's authority",
		Long: `Makes a private key, keeps it in the state folder, and writes the certificate request
that your company's authority signs. Until its answer comes, a placeholder that the
key signed itself can be served; cert import then finds the key by itself.`,
		Example: `  bitgate cert request --host git.example.com --subject "O=Example Ltd,C=GB" -o git.csr
  bitgate cert import git.cer chain.p7b`,
		Args: args(0, 0),
		RunE: func(*cobra.Command, []string) error { return requestCert(p, o) },
	}
	c.Flags().StringArrayVar(&o.hosts, "host", nil, "public host `NAME` or address the certificate is for (repeat for more)")
	c.Flags().StringVar(&o.key, "key", "ecdsa", "kind of key: `ecdsa|rsa`")
	c.Flags().StringVar(&o.subject, "subject", "", "`NAME` that the authority wants to read, as in O=Example,OU=IT,L=Berlin,ST=Berlin,C=DE")
	c.Flags().StringVarP(&o.out, "out", "o", "", "write the request to `FILE` (default: HOST.csr)")
	addStateDir(c, &o.stateDir)
	return c
}

func requestCert(p *process, o requestOptions) error {
	if len(o.hosts) == 0 {
		return usage("missing: --host", "")
	}
	subject, err := parseSubject(o.subject)
	if err != nil {
		return err
	}
	if o.out == "" {
		o.out = strings.NewReplacer("*", "_", ":", "-").Replace(o.hosts[0]) + ".csr"
	}
	if exists(o.out) {
		return problem.New(o.out+" is there already", "the request in it may be with the authority now, and belongs to another key", "choose another name with -o")
	}
	st := store.Store{StateDir: stateDirOf(p, o.stateDir)}
	key, err := store.NewKey(store.KeyType(o.key))
	if err != nil {
		return err
	}
	csr, err := certs.Request(key, subject, o.hosts)
	if err != nil {
		return err
	}
	id, err := st.AddKey(key) // before the request is anywhere: without it the answer is worthless
	if err != nil {
		return err
	}
	if err := writePrivate(o.out, csr); err != nil {
		return problem.Wrap(err, "the request could not be written", "", "")
	}
	place, err := placeholder(st, key, o.hosts)
	if err != nil {
		return err
	}
	file, err := filepath.Abs(o.out)
	if err != nil {
		return err
	}
	say := func(format string, args ...any) { out(p.Out, format, args...) }
	say("Request      %s", file)
	say("Key          %s", st.KeyPath(id))
	say("             Keep a copy: without it the certificate is worthless.")
	if place != "" {
		say("Placeholder  %s", place)
		say("             A front can start with it (--pem) until the certificate comes.")
	}
	say("")
	say("Send the request to your authority. Ask for a server certificate (serverAuth)")
	say("with the names in it, and for the chain. Then:")
	say("%s", p.asCalled("bitgate cert import FILE..."))
	return nil
}

// placeholder is put in force where the first host has no certificate yet, nor another one
// whose place what is requested will take.
func placeholder(st store.Store, key crypto.Signer, hosts []string) (string, error) {
	if have, err := st.Superseded(hosts); have != "" || err != nil {
		return "", err
	}
	if have, err := st.Installed(hosts[0]); have != "" || err != nil {
		return "", err
	}
	bundle, err := certs.Placeholder(key, hosts, time.Now())
	if err != nil {
		return "", err
	}
	defer clear(bundle)
	return st.Install(hosts[0], bundle)
}

// parseSubject reads a distinguished name in the usual spelling, without escapes.
func parseSubject(text string) (pkix.Name, error) {
	var name pkix.Name
	for _, part := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == '/' }) {
		key, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		if value = strings.TrimSpace(value); value == "" {
			return name, usage("--subject: "+problem.ShellWord(part)+" is not like O=Example", "parts are separated by commas")
		}
		switch strings.ToUpper(strings.TrimSpace(key)) {
		case "CN":
			name.CommonName = value
		case "O":
			name.Organization = append(name.Organization, value)
		case "OU":
			name.OrganizationalUnit = append(name.OrganizationalUnit, value)
		case "L":
			name.Locality = append(name.Locality, value)
		case "ST", "S":
			name.Province = append(name.Province, value)
		case "C":
			name.Country = append(name.Country, value)
		default:
			return name, usage("--subject: "+problem.ShellWord(key)+" is not known", "known are CN, O, OU, L, ST and C")
		}
	}
	return name, nil
}
