package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bitgate/certs"
	"bitgate/internal/problem"
)

func newCert(p *process) *cobra.Command {
	c := &cobra.Command{
		Use:   "cert",
		Short: "Inspect, bundle or make certificates",
		Args:  unknownCommand,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newCertInspect(p), newCertBundle(p), newCertDev(p), newCertImport(p), newCertRequest(p), newCertTrust(p), newCertRenew(p), newCertDeploy(p), newCertStatus(p))
	return c
}

// certFiles are the flags that name certificate files, in any format.
type certFiles struct {
	certs.Paths
	passwordFile string
}

func (f *certFiles) add(c *cobra.Command) {
	c.Flags().StringVar(&f.Cert, "cert", "", "certificate `FILE` (PEM, DER, PKCS#7), or a key store with its key (PKCS#12, JKS, JCEKS)")
	c.Flags().StringVar(&f.Key, "key", "", "private key `FILE` (PEM, DER), where it is not in the certificate's")
	c.Flags().StringVar(&f.Chain, "chain", "", "`FILE` with intermediate certificates (PEM, DER, PKCS#7)")
	c.Flags().StringVar(&f.PEM, "pem", "", "one `FILE` with certificate, chain and key")
	f.addUnlock(c)
}

func (f *certFiles) addUnlock(c *cobra.Command) {
	addCertPassword(c, &f.passwordFile)
	c.Flags().StringVar(&f.Alias, "cert-alias", "", "`NAME` of the key in a key store that has several")
}

func addCertPassword(c *cobra.Command, file *string) {
	c.Flags().StringVar(file, "cert-password-file", "", "`FILE` with the password of the certificate's files, - for standard input")
}

// load reads the files; host, if not "", chooses among several keys.
func (f *certFiles) load(ctx context.Context, p *process, host string) (*certs.Material, error) {
	if f.PEM == "" && f.Cert == "" {
		return nil, usage("missing: --cert, with --key where the key is not in it, or --pem", "")
	}
	password := newCertPassword(p, f.passwordFile)
	defer password.wipe()
	return certs.LoadWith(certs.Open, f.Paths, certs.Unlock{Ask: password.ask(ctx), Host: host})
}

func newCertInspect(p *process) *cobra.Command {
	var host string
	var files certFiles
	c := &cobra.Command{
		Use:   "inspect",
		Short: "Report what clients would reject",
		Example: `  bitgate cert inspect --cert fullchain.pem --key privkey.pem --host git.example.com
  bitgate cert inspect --cert server.pfx`,
		Args: args(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			m, err := files.load(c.Context(), p, host)
			if err != nil {
				return err
			}
			return inspectCert(p, m, host)
		},
	}
	c.Flags().StringVar(&host, "host", "", "the public host `NAME` it must be for")
	files.add(c)
	return c
}

func inspectCert(p *process, m *certs.Material, host string) error {
	info := m.Info()
	for _, l := range [][2]string{
		{"Names", strings.Join(info.Names, ", ")},
		{"Subject", info.Subject},
		{"Issuer", info.Issuer},
		{"Valid", info.NotBefore.UTC().Format(time.DateOnly) + " to " + info.NotAfter.UTC().Format(time.DateOnly)},
		{"Key", info.KeyType},
	} {
		out(p.Out, "  %-8s %s", l[0], l[1])
	}
	if host == "" && len(info.Names) > 0 {
		host = info.Names[0]
	}
	found := m.Inspect(host, time.Now())
	p.text().Findings(found)
	if bad := problem.Failures(found); len(bad) > 0 {
		return problem.New("this certificate cannot be used for "+host+": "+bad[0].Found, bad[0].Why, bad[0].Do)
	}
	return nil
}

func newCertBundle(p *process) *cobra.Command {
	var file, fetch string
	var files certFiles
	c := &cobra.Command{
		Use:     "bundle",
		Short:   "Write the one PEM file that HAProxy loads",
		Example: `  bitgate cert bundle --cert cert.pem --chain chain.pem --key privkey.pem -o /etc/haproxy/git.pem`,
		Args:    args(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			if file == "" {
				return usage("missing: --out", "the bundle holds the private key, so it is written to a file of mode 0600 only")
			}
			m, err := files.load(c.Context(), p, "")
			if err != nil {
				return err
			}
			if err := fetchChain(c.Context(), p, m, fetch); err != nil {
				return err
			}
			if bad := problem.Failures(m.Inspect(hostOf(m), time.Now())); len(bad) > 0 {
				return problem.New("no bundle is written: "+bad[0].Found, bad[0].Why, bad[0].Do)
			}
			bundle := m.Bundle()
			defer clear(bundle)
			if err := writePrivate(file, bundle); err != nil {
				return problem.Wrap(err, "the bundle could not be written", "", "")
			}
			out(p.Out, "%s: %s", file, strings.Join(m.Info().Names, ", "))
			return nil
		},
	}
	c.Flags().StringVarP(&file, "out", "o", "", "write the bundle to `FILE` (mode 0600)")
	addFetchChain(c, &fetch)
	files.add(c)
	return c
}

// hostOf is a name that the certificate is for.
func hostOf(m *certs.Material) string {
	if all := m.Info().Names; len(all) > 0 {
		return strings.Replace(all[0], "*", "any", 1)
	}
	return ""
}

func newCertDev(p *process) *cobra.Command {
	var dir string
	var days int
	c := &cobra.Command{
		Use:   "dev HOST...",
		Short: "Make a certificate for trying things out",
		Long: `Makes a certificate for HOST and the authority that signed it. The authority's key
is thrown away. Clients trust it only when they are given ca.pem.`,
		Example: `  bitgate cert dev --dir certs git.test`,
		Args:    args(1, 100),
		RunE: func(_ *cobra.Command, hosts []string) error {
			return writeDev(p, dir, hosts, days)
		},
	}
	c.Flags().StringVar(&dir, "dir", ".", "write ca.pem, cert.pem and key.pem into `DIR`")
	c.Flags().IntVar(&days, "days", 90, "valid for `N` days")
	return c
}

func writeDev(p *process, dir string, hosts []string, days int) error {
	ca, cert, key, err := certs.Dev(hosts, days, time.Now())
	if err != nil {
		return err
	}
	defer clear(key)
	files := []struct {
		name string
		data []byte
	}{{"ca.pem", ca}, {"cert.pem", cert}, {"key.pem", key}}
	for _, f := range files {
		if path := filepath.Join(dir, f.name); exists(path) {
			return problem.New(path+" is there already", "it may be somebody's key", "choose another --dir")
		}
	}
	for _, f := range files {
		path := filepath.Join(dir, f.name)
		if err := writePrivate(path, f.data); err != nil {
			return problem.Wrap(err, fmt.Sprintf("%s could not be written", path), "", "")
		}
		out(p.Out, "%s", path)
	}
	return nil
}
