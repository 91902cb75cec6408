package detect

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"bitgate/certs"
	"bitgate/haproxy"
	"bitgate/haproxy/live"
	"bitgate/internal/atomicfile"
	"bitgate/internal/mountinfo"
	"bitgate/internal/problem"
	"bitgate/internal/service"
	"bitgate/internal/trusted"
	"bitgate/internal/unit"
	"bitgate/setup"
)

// unitPath is where systemd looks for units of the administrator.
const unitPath = "/etc/systemd/system/bitgate-proxy.service"

// detectFront reads what stands in front of Bitbucket today: HAProxy and its
// file set, the built-in proxy's files, the certificate that was named.
func (f *facts) detectFront(ctx context.Context, p Probe, haproxy func() (live.Install, error)) error {
	f.readNames(p.Root)
	var err error
	if f.HAProxy, err = haproxy(); err != nil {
		return err
	}
	f.HAProxyCtl, _ = service.FindHAProxy(p.Root)
	f.findCertificates(p)
	f.findSources(p)
	input, _ := f.WithKey(f.WithSource(p.Input))
	scope := setup.ScopeOf(input, f.HAProxy)
	f.Scope = &scope
	where := scope.Paths
	if err := f.readHAProxyFiles(where.HAProxyCfg); err != nil {
		return err
	}
	if f.ProxyConfig, err = atomicfile.Read(where.ProxyConfig); err != nil {
		return err
	}
	if f.Systemd {
		f.ConfigFault = configFault(strings.TrimPrefix(where.ProxyConfig, p.Root))
	}
	if err := f.findUnit(p, where.ProxyConfig); err != nil {
		return err
	}
	if err := f.findTimer(p.Root); err != nil {
		return err
	}
	f.findReader()
	if where.Bundle != "" {
		if f.Bundle, err = atomicfile.Read(where.Bundle); err != nil {
			return err
		}
	}
	material := f.loadCertificate(input, where, p)
	if err := f.findIssued(ctx, p, input); err != nil {
		return err
	}
	if where.Front == setup.FrontTomcat && !input.URL.IsZero() && f.Layout.Properties != "" {
		if err := f.readKeyStore(ctx, input, material); err != nil {
			return err
		}
	}
	if where.Bundle != "" {
		if !f.Bundle.Absent && where.Front == setup.FrontHAProxy && f.FrontReader.User != "" && !readable(where.Bundle, f.FrontReader) {
			f.FrontReader.Unreadable = append(f.FrontReader.Unreadable, where.Bundle)
		}
		if !f.Bundle.Absent && f.Certificate.Error == "" && !trusted.User(uint32(f.Bundle.UID)) {
			f.Certificate.Error = fmt.Sprintf("the bundle would replace %s, which belongs to %s", where.Bundle, trusted.Who(uint32(f.Bundle.UID)))
			f.Certificate.Do = "look at that file and remove it, or let root own it"
		}
	}
	return err
}

// haproxyMeanwhile begins to ask which HAProxy there is, while Bitbucket is looked at,
// and returns what waits for the answer.
func haproxyMeanwhile(ctx context.Context, p Probe) func() (live.Install, error) {
	found := sync.OnceValues(func() (live.Install, error) {
		return live.Detect(ctx, live.Search{Bin: p.Input.HAProxyBin, Cfg: p.Input.HAProxyCfg, Root: p.Root})
	})
	go func() { _, _ = found() }()
	return found
}

// findUnit reads the built-in proxy's unit: the one in unitPath, or the package's.
func (f *facts) findUnit(p Probe, config string) (err error) {
	path, name := filepath.Join(p.Root, unitPath), filepath.Base(unitPath)
	if f.Systemd && unit.Masked(p.Root, name) {
		f.ProxyUnit = atomicfile.File{Path: path, Absent: true}
		f.UnitFault = &problem.Finding{
			ID: "unit", Level: problem.Fail, Found: name + " is masked", Why: "systemd does not start the built-in proxy then",
			Do: "systemctl unmask " + name + ", or choose HAProxy (--front haproxy)",
		}
		return nil
	}
	f.ProxyUnit, err = atomicfile.Read(path)
	if f.Systemd && f.ProxyUnit.Absent {
		f.PackagedUnit = packagedUnit(p, config)
		f.PackagedUnit.Running = f.PackagedUnit.Path != "" && slices.ContainsFunc(f.Listeners, func(l setup.Listener) bool { return l.Unit == name })
	}
	return err
}

// packagedUnit is the unit of the package that this program is from, if it starts
// this program with that configuration.
func packagedUnit(p Probe, config string) setup.PackagedUnit {
	name := filepath.Base(unitPath)
	s, found := unit.Load(p.Root, name)
	want := []string{p.Program, "proxy", "--config", strings.TrimPrefix(config, p.Root)}
	if !found || !slices.Equal(s.Exec, want) {
		return setup.PackagedUnit{}
	}
	_, err := os.Lstat(filepath.Join(p.Root, filepath.Dir(unitPath), "multi-user.target.wants", name))
	return setup.PackagedUnit{Path: s.Path, Enabled: err == nil}
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
	f.HAProxyConfig = haproxy.ParseSetFor(set, f.HAProxy.Service.Env)
	f.HandMade = f.HAProxyConfig.HandMade()
	return nil
}

// findCertificates looks in the usual places and beside the one that was named.
func (f *facts) findCertificates(p Probe) {
	var folders []string
	for _, dir := range certs.Folders {
		folders = append(folders, filepath.Join(p.Root, dir))
	}
	if p.Input.Cert != "" {
		folders = append(folders, filepath.Dir(p.Input.Cert))
	}
	for _, pair := range certs.Find(folders) {
		if pair.NotAfter.After(time.Now()) {
			f.Certificates = append(f.Certificates, setup.CertificateFile{
				Cert: pair.Cert, Key: pair.Key, Names: pair.Names, NotAfter: pair.NotAfter.Format(time.DateOnly),
			})
		}
	}
}

// loadCertificate reads the certificate only to describe it; keys do not stay in the
// facts. It is nil where there is none that can be read.
func (f *facts) loadCertificate(a setup.Answers, where setup.Paths, p Probe) *certs.Material {
	if a.PEM == "" && a.Cert == "" {
		f.noSource(a)
		return nil
	}
	f.Certificate.Given = true
	m, err := f.material(a, p)
	if err != nil {
		f.notLoaded(a, err)
		return nil
	}
	f.Certificate.WithKey = a.Key == "" && a.PEM == ""
	info := m.Info()
	f.Certificate.Sources = info.Sources
	f.Certificate.Digest = m.BundleDigest()
	f.Certificate.Leaf = m.LeafDigest()
	f.Certificate.Alias = info.Alias
	f.Certificate.Names = info.Names
	f.Certificate.Subject = info.Subject
	renewer := certs.RenewerOf(a.PEM + a.Cert)
	renewer.Timer = renewer.TimerBelow(f.Root)
	f.Certificate.Renewer, f.Certificate.Hooked = setup.Renewer(renewer), renewer.Deploys(where.Bundle)
	if renewer.Hooks != "" && !a.URL.IsZero() {
		hook, err := atomicfile.Read(filepath.Join(renewer.Hooks, "bitgate-"+setup.FileName(a.URL.Host())))
		if err == nil { // else it stays the administrator's
			f.Certificate.Hook = hook
		}
	}
	f.Certificate.Missing = m.MissingAt()
	f.Certificate.NotAfter = info.NotAfter.UTC().Format(time.RFC3339)
	if a.PEM != "" && where.Front != setup.FrontTomcat && info.Sources[a.PEM] == m.BundleDigest() && a.PEM != f.Imported && f.stays(a.PEM, where) {
		f.Certificate.InPlace = a.PEM // already exactly what HAProxy wants
	}
	if !a.URL.IsZero() {
		f.Certificate.Findings = m.Inspect(a.URL.Host(), time.Now())
	}
	return m
}

// notLoaded says why the certificate cannot be used, and what can be asked for.
func (f *facts) notLoaded(a setup.Answers, err error) {
	f.Certificate.Error, f.Certificate.Locked = err.Error(), certs.IsLocked(err)
	f.Certificate.WithKey = a.Key == "" && a.PEM == "" && f.Certificate.Locked
	if told, is := errors.AsType[*problem.Error](err); is {
		f.Certificate.Do = told.Do
	}
	several, is := errors.AsType[*certs.SeveralError](err)
	if !is {
		return
	}
	f.Certificate.WithKey = true
	for _, k := range several.Keys {
		f.Certificate.Aliases = append(f.Certificate.Aliases, setup.CertificateAlias{Alias: k.Alias, Names: k.Names, NotAfter: k.NotAfter.Format(time.DateOnly)})
	}
}

// findTimer reads what has certificates renewed: units of systemd, else a file of
// cron's where cron is installed.
func (f *facts) findTimer(root string) (err error) {
	read := func(path string) atomicfile.File {
		file, rerr := atomicfile.Read(filepath.Join(root, path))
		err = errors.Join(err, rerr)
		return file
	}
	if f.Systemd {
		for _, path := range []string{setup.RenewServicePath, setup.RenewTimerPath} {
			if name := filepath.Base(path); unit.Masked(root, name) {
				f.Timer.Masked = name
				return nil
			}
		}
		f.Timer.Service, f.Timer.Timer = read(setup.RenewServicePath), read(setup.RenewTimerPath)
		return err
	}
	for _, cron := range []string{"/usr/sbin/cron", "/usr/sbin/crond"} {
		if info, serr := os.Stat(filepath.Join(root, cron)); serr == nil && info.Mode().IsRegular() {
			if info, serr := os.Stat(filepath.Join(root, filepath.Dir(setup.RenewCronPath))); serr == nil && info.IsDir() {
				f.Timer.Cron = read(setup.RenewCronPath)
			}
		}
	}
	return err
}

// findReader says as whom HAProxy's service reads the bundle. A group that its unit
// does not name is the user's own.
func (f *facts) findReader() {
	service := f.HAProxy.Service
	if service.User == "" || service.User == "root" || service.User == "0" {
		return
	}
	f.FrontReader = setup.Reader{User: service.User, Group: service.Group}
	if service.Group == "" {
		if u, err := user.Lookup(service.User); err == nil {
			if g, err := user.LookupGroupId(u.Gid); err == nil {
				f.FrontReader.Group = g.Name
			}
		}
	}
}

// private folders are those of single users, and those that are emptied. A service
// is often given ones of its own in their stead (systemd.exec(5): ProtectHome=,
// PrivateTmp=).
var private = []string{"/root", "/home", "/tmp", "/var/tmp", "/run/user", "/dev/shm"}

// stays reports whether a bundle may be used where it lies: not in a private folder
// (unless the front's own file is there too), and readable by who has to read it.
func (f *facts) stays(path string, where setup.Paths) bool {
	own := where.HAProxyCfg
	if where.Front == setup.FrontBuiltin {
		own = where.ProxyConfig
	}
	for _, p := range []string{path, resolved(path)} {
		for _, dir := range private {
			if _, in := mountinfo.Below(p, dir); !in {
				continue
			}
			if _, both := mountinfo.Below(resolved(own), dir); !both {
				return false
			}
		}
	}
	return where.Front == setup.FrontBuiltin || f.FrontReader.User == "" || readable(path, f.FrontReader)
}

// resolved is path without symbolic links, as far as it exists.
func resolved(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	if dir := filepath.Dir(path); dir != path {
		return filepath.Join(resolved(dir), filepath.Base(path))
	}
	return path
}

// readable reports whether the reader may enter every folder on the way to path and
// read what is there, by owner, group and mode.
func readable(path string, r setup.Reader) bool {
	u, err := user.Lookup(r.User)
	if err != nil {
		return false
	}
	groups, _ := u.GroupIds()
	if g, err := user.LookupGroup(r.Group); err == nil {
		groups = append(groups, g.Gid)
	}
	for want, p := os.FileMode(4), resolved(path); ; want, p = 1, filepath.Dir(p) {
		info, err := os.Stat(p)
		if err != nil {
			return false
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return false
		}
		mode := info.Mode().Perm()
		switch {
		case strconv.Itoa(int(st.Uid)) == u.Uid:
			mode >>= 6
		case slices.Contains(groups, strconv.Itoa(int(st.Gid))):
			mode >>= 3
		}
		if mode&want == 0 {
			return false
		}
		if p == filepath.Dir(p) {
			return true
		}
	}
}
