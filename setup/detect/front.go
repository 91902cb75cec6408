package detect

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"bitgate/certs"
	"bitgate/haproxy"
	"bitgate/haproxy/live"
	"bitgate/internal/atomicfile"
	"bitgate/internal/problem"
	"bitgate/internal/service"
	"bitgate/setup"
)

// unitPath is where systemd looks for units of the administrator.
const unitPath = "/etc/systemd/system/bitgate-proxy.service"

// detectFront reads what stands in front of Bitbucket today: HAProxy and its
// file set, the built-in proxy's files, the certificate that was named.
func (f *facts) detectFront(ctx context.Context, p Probe) error {
	var err error
	f.HAProxy, err = live.Detect(ctx, live.Search{Bin: p.Input.HAProxyBin, Cfg: p.Input.HAProxyCfg, Root: p.Root})
	if err != nil {
		return err
	}
	f.HAProxyCtl, _ = service.FindHAProxy(ctx, p.Root)
	where := setup.Where(p.Input, f.HAProxy)
	if err := f.readHAProxyFiles(where.HAProxyCfg); err != nil {
		return err
	}
	if f.ProxyConfig, err = atomicfile.Read(where.ProxyConfig); err != nil {
		return err
	}
	if f.ProxyUnit, err = atomicfile.Read(filepath.Join(p.Root, unitPath)); err != nil {
		return err
	}
	f.loadCertificate(p.Input, p.Now)
	if where.Bundle != "" {
		f.Bundle, err = atomicfile.Read(where.Bundle)
	}
	return err
}

// readHAProxyFiles reads the whole set in load order; a file of the set that
// does not exist yet is empty.
func (f *facts) readHAProxyFiles(cfg string) error {
	paths := f.HAProxy.Files
	if len(paths) == 0 {
		paths = []string{cfg}
	}
	var set []haproxy.Source
	for _, path := range paths {
		file, err := atomicfile.Read(path)
		if err != nil {
			return err
		}
		f.HAProxyFiles = append(f.HAProxyFiles, file)
		set = append(set, haproxy.Source{Path: file.Path, Data: file.Data})
	}
	f.HAProxyConfig = haproxy.ParseSet(set)
	f.HandMade = f.HAProxyConfig.HandMade()
	return nil
}

// loadCertificate reads the certificate only to describe it; keys do not stay.
func (f *facts) loadCertificate(a setup.Answers, now time.Time) {
	if a.PEM == "" && a.Cert == "" {
		return
	}
	f.Certificate.Given = true
	m, err := certs.LoadBy(certs.OpenTrusted, setup.CertPaths(a))
	if err != nil {
		f.Certificate.Error = err.Error()
		var told *problem.Error
		if errors.As(err, &told) {
			f.Certificate.Do = told.Do
		}
		return
	}
	info := m.Info()
	f.Certificate.Sources = info.Sources
	f.Certificate.Digest = m.BundleDigest()
	f.Certificate.Names = info.Names
	f.Certificate.Subject = info.Subject
	f.Certificate.NotAfter = info.NotAfter.UTC().Format(time.RFC3339)
	if a.PEM != "" && info.Sources[a.PEM] == m.BundleDigest() {
		f.Certificate.InPlace = a.PEM // already exactly what HAProxy wants
	}
	if a.URL.IsZero() {
		return
	}
	f.Certificate.Findings = m.Inspect(a.URL.Host(), now)
}
