package main

import (
	"cmp"
	"context"
	"crypto"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bitgate/certs"
	"bitgate/certs/store"
	"bitgate/internal/problem"
	"bitgate/interview"
)

type importOptions struct {
	certFiles
	host     string
	fetch    string
	stateDir string
}

func newCertImport(p *process) *cobra.Command {
	o := importOptions{}
	c := &cobra.Command{
		Use:   "import FILE...",
		Short: "Take over a certificate, whatever it comes in",
		Long: `Reads certificate, chain and key from the files, in any order and any format, and
keeps them as one bundle in the state folder. Where no key is among them, the one of
cert request is found by its public half. What clients would refuse is not taken over.`,
		Example: `  bitgate cert import server.pfx
  bitgate cert import git.cer chain.p7b
  bitgate cert import git.cer --fetch-chain`,
		Args: args(1, 20),
		RunE: func(c *cobra.Command, files []string) error { return importCert(c.Context(), p, o, files) },
	}
	c.Flags().StringVar(&o.host, "host", "", "the public host `NAME` it must be for (default: that of its request, or its first name)")
	o.addUnlock(c)
	addFetchChain(c, &o.fetch)
	addStateDir(c, &o.stateDir)
	return c
}

// addFetchChain gives c the consent to ask the addresses that a certificate names.
func addFetchChain(c *cobra.Command, fetch *string) {
	c.Flags().StringVar(fetch, "fetch-chain", "", "`public|private`: fetch missing intermediates from where the certificate says they are; private allows addresses of your own network")
	c.Flags().Lookup("fetch-chain").NoOptDefVal = interview.FetchPublic
}

// fetchChain adds what is missing, where that was asked for.
func fetchChain(ctx context.Context, p *process, m *certs.Material, how string) error {
	switch {
	case how == "":
		return nil
	case !interview.Fetches(how):
		return usage("--fetch-chain is public or private, not "+problem.ShellWord(how), "")
	}
	added, err := m.FetchChain(ctx, how == interview.FetchPrivate)
	for _, c := range added {
		out(p.Out, "fetched: %s", c.Subject.String())
	}
	return err
}

func importCert(ctx context.Context, p *process, o importOptions, files []string) error {
	st := store.Store{StateDir: stateDirOf(p, o.stateDir)}
	password := newCertPassword(p, o.passwordFile)
	defer password.wipe()
	m, err := certs.LoadAll(certs.OpenTrusted, files, o.Alias, certs.Unlock{
		Ask: password.ask(ctx), Host: o.host,
		Keys: func(public crypto.PublicKey) (crypto.Signer, error) { return st.Key(public) },
	})
	if err != nil {
		return err
	}
	if err := fetchChain(ctx, p, m, o.fetch); err != nil {
		return err
	}
	host := cmp.Or(o.host, hostOf(m))
	found := m.Inspect(host, time.Now())
	p.text().Findings(found)
	if bad := problem.Failures(found); len(bad) > 0 {
		return problem.New("the certificate is not taken over: "+bad[0].Found, bad[0].Why, bad[0].Do)
	}
	name := o.host
	if name == "" {
		if name, err = keptFor(st, m); err != nil {
			return err
		}
	}
	bundle := m.Bundle()
	defer clear(bundle)
	path, err := st.Install(name, bundle)
	if err != nil {
		return err
	}
	dropped, err := st.DropKey(m.Leaf().PublicKey)
	if err != nil {
		return err
	}
	info := m.Info()
	out(p.Out, "%s, until %s", strings.Join(info.Names, ", "), info.NotAfter.UTC().Format(time.DateOnly))
	out(p.Out, "Bundle  %s", path)
	if dropped {
		out(p.Out, "Key     in the bundle; the copy that waited for the certificate is gone")
	}
	out(p.Out, "Where the front was set up with it: %s", p.asCalled("bitgate cert deploy"))
	out(p.Out, "Else:                               %s", p.asCalled("bitgate setup --pem "+problem.ShellWord(path)))
	return nil
}

// keptFor is what the certificate is kept for where nobody says: the one that it takes the
// place of, be it the placeholder of its request, since the front reads that; else its
// first name.
func keptFor(st store.Store, m *certs.Material) (string, error) {
	host, err := st.HostOf(m.Leaf().PublicKey)
	if host != "" || err != nil {
		return host, err
	}
	all := m.Info().Names
	if host, err = st.Superseded(all); host != "" || err != nil {
		return host, err
	}
	for _, name := range all {
		if have, err := st.Installed(name); have != "" || err != nil {
			return name, err
		}
	}
	return append(all, "")[0], nil
}
