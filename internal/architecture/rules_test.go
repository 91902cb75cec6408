package architecture_test

import (
	"fmt"
	"slices"
	"strings"
)

// module is the first element of every import path of our own.
const module = "bitgate/"

// layers says which of our packages the production code of a package may
// import, besides templates and internal. A package that is not named here has
// no place yet: give it one. Imports run downwards only.
var layers = map[string][]string{
	"interview":          {"setup"},
	"wizard":             {"interview", "setup"}, // setup's types; cmd hands it a Backend for the deeds
	"doctor":             {"haproxy/rehearsal", "doctor/local", "bitbucket", "certs/renewal"},
	"doctor/local":       {"bitbucket", "tomcat", "haproxy", "haproxy/live", "nginx"},
	"nginx":              {},
	"setup":              {"setup/redact", "tomcat", "bitbucket", "haproxy", "haproxy/live", "proxy/config", "certs"},
	"setup/redact":       {"haproxy", "proxy/config", "tomcat"},
	"setup/journal":      {"setup", "certs", "certs/renewal"},
	"setup/detect":       {"setup", "setup/journal", "tomcat", "bitbucket", "haproxy", "haproxy/live", "certs", "certs/acme", "certs/store"},
	"setup/check":        {"proxy/config", "haproxy/live/stage", "haproxy/rehearsal", "setup", "setup/journal", "bitbucket", "tomcat", "haproxy", "haproxy/live", "certs", "certs/acme", "certs/caa"},
	"setup/apply":        {"setup", "setup/journal", "setup/detect", "setup/check", "bitbucket", "haproxy/live", "tomcat", "proxy/config", "certs", "certs/acme", "certs/store"},
	"setup/renew":        {"setup", "setup/journal", "setup/apply", "certs", "certs/acme", "certs/renewal", "certs/store"},
	"proxy/process":      {"proxy", "proxy/config", "proxy/keys"},
	"proxy":              {"proxy/server", "proxy/ssh", "proxy/exchange", "proxy/clients", "proxy/conns", "proxy/inflight", "proxy/accesslog", "proxy/keys", "proxy/config", "proxy/metrics", "proxy/pool", "proxy/rules", "certs", "certs/renewal"},
	"proxy/server":       {"proxy/exchange", "proxy/clients", "proxy/conns", "proxy/inflight", "proxy/loop", "proxy/metrics", "proxy/record", "proxy/accesslog", "proxy/config", "proxy/keys", "proxy/h1", "proxy/h2", "proxy/rules"},
	"proxy/ssh":          {"proxy/exchange", "proxy/clients", "proxy/conns", "proxy/inflight", "proxy/accesslog", "proxy/config"},
	"proxy/exchange":     {"proxy/clients", "proxy/limit", "proxy/conns", "proxy/inflight", "proxy/accesslog", "proxy/loop", "proxy/config", "proxy/h1", "proxy/metrics", "proxy/pool", "proxy/record", "proxy/rules"},
	"proxy/clients":      {"proxy/conns", "proxy/accesslog", "proxy/config", "proxy/limit", "proxy/metrics"},
	"proxy/inflight":     {"proxy/accesslog", "proxy/metrics"},
	"proxy/accesslog":    {"proxy/config", "proxy/record"},
	"proxy/conns":        {},
	"haproxy/live":       {"haproxy"},
	"haproxy/live/stage": {"haproxy", "haproxy/live", "haproxy/rehearsal", "proxy/config"},
	"haproxy/rehearsal":  {"haproxy", "proxy/config"},
	"bitbucket":          {},
	"certs/store":        {},
	"certs":              {"certs/renewal", "certs/keystore"},
	"certs/renewal":      {},
	"certs/caa":          {},
	"certs/acme":         {"certs/caa", "certs/store"},
	"certs/keystore":     {},
	"haproxy":            {},
	"proxy/config":       {},
	"proxy/h1":           {},
	"proxy/h2":           {"proxy/h1"},
	"proxy/keys":         {"certs"},
	"proxy/limit":        {},
	"proxy/loop":         {},
	"proxy/metrics":      {"proxy/record"},
	"proxy/pool":         {},
	"proxy/record":       {},
	"proxy/rules":        {"proxy/config", "proxy/h1", "proxy/pool", "proxy/record"},
	"tomcat":             {},
	"templates":          {},

	// A stand-in that shared code with what it stands in for would prove nothing.
	"bitbucket/bitbuckettest": {},
}

// pure packages touch no file, network or process, and import of ours only what
// does not either, or pureNames.
var pure = []string{
	"setup", "setup/redact", "certs/renewal", "certs/keystore", "tomcat", "haproxy", "haproxy/rehearsal", "nginx", "proxy/config", "proxy/h1", "proxy/h2", "proxy/limit", "proxy/metrics", "proxy/pool", "proxy/record", "proxy/rules", "templates", "interview", "wizard",
	"internal/edge", "internal/fieldnames", "internal/hostport", "internal/node", "internal/pattern", "internal/printable", "internal/problem", "internal/publicurl", "internal/splice",
}

// impure are the standard and other packages that reach outside the process.
var impure = []string{
	"os", "os/", "syscall", "golang.org/x/sys/", "net", "net/http", "net/smtp",
	"net/rpc", "net/textproto", "log/syslog", "crypto/tls", "golang.org/x/net/http2",
}

// pureNames are what a pure package may use of one that is not: names of data, and
// functions that only handle text.
var pureNames = map[string][]string{
	"net": {
		"ParseIP", "ParseCIDR", "ParseMAC",
		"IP", "IPNet", "IPMask", "CIDRMask", "AddrError",
	},
	module + "bitbucket":           {"Install", "Layout", "Override", "Settings", "AppLinks", "State", "Running", "FirstRun", "Unreachable", "Container", "ByCompose", "ByKubernetes", "BySwarm", "ByHand"},
	module + "certs":               {"Paths"},
	module + "haproxy/live":        {"Install", "Report"},
	module + "internal/atomicfile": {"File", "Digest", "MaxSize"},
	module + "internal/service": {
		"Control", "Verb", "Start", "Restart", "Reload", "Stop",
		"Systemd", "Init", "Command", "Manual", "Never",
	},
}

// processGlobals belong to main: everything else is given its streams,
// arguments and environment, so that it can be tested and used twice.
var processGlobals = []string{
	"os.Stdin", "os.Stdout", "os.Stderr", "os.Args", "os.Exit",
	"os.Getenv", "os.LookupEnv", "os.ExpandEnv",
}

// addressFunctions split and join host:port, which has one owner: what one of
// two splitters accepts the other fails on. Helpers of tests may use them.
var addressFunctions = []string{"net.SplitHostPort", "net.JoinHostPort"}

var addressPackages = []string{"internal/hostport", "internal/peers", "bitbucket/bitbuckettest"}

// processPackages may use them: main, the one place that copies PATH and locale
// for the programs it starts, the one that asks who started bitgate (SUDO_UID),
// and test code.
var processPackages = []string{"cmd/", "internal/child", "internal/trusted", "internal/peers"}

// starters start a program or become one, which internal/child does for all:
// its rules about folder, environment and end hold only for what goes through it.
var starters = []string{
	"os.StartProcess", "syscall.StartProcess", "syscall.ForkExec", "syscall.Exec",
	"golang.org/x/sys/unix.Exec", "syscall.SYS_EXECVE", "syscall.SYS_EXECVEAT", "golang.org/x/sys/unix.SYS_EXECVE", "golang.org/x/sys/unix.SYS_EXECVEAT",
}

var starterPackages = []string{"internal/child", "internal/peers"}

// onLoop packages run in the coroutines of an event loop: who waits there other
// than through package loop stops everybody else, too.
var onLoop = []string{"proxy/exchange", "proxy/server"}

var blocking = []string{
	"time.Sleep", "net.Dial", "net.DialTimeout", "net.DialTCP", "net.Listen", "net.LookupHost", "net.LookupIP", "net.LookupAddr", "net.ResolveTCPAddr",
	"os.ReadFile", "os.WriteFile", "os.Open", "os.OpenFile", "os.Create",
}

// kernel packages are for those who speak with the kernel: within the proxy the
// loop, the process, and who counts descriptors or tells its errors apart.
var kernel = []string{"syscall", "golang.org/x/sys/"}

var kernelPackages = []string{"proxy/loop", "proxy/process", "proxy/clients", "proxy/conns", "proxy/keys"}

// exclusive libraries and the packages that may import them.
var exclusive = map[string][]string{
	"github.com/charmbracelet/":        {"wizard", "internal/quietterm"},
	"github.com/muesli/":               {"wizard", "internal/quietterm"},
	"github.com/spf13/cobra":           {"cmd/"},
	"github.com/beevik/etree":          {"tomcat"},
	"github.com/coreos/go-systemd/":    {"cmd/"},
	"github.com/mholt/acmez/":          {"certs/acme"},
	"github.com/rogpeppe/":             {}, // tests only
	"github.com/creack/pty":            {},
	"github.com/google/go-cmp":         {},
	"github.com/stretchr/":             {},
	"testing":                          {"internal/peers", "bitbucket/bitbuckettest"},
	"os/exec":                          starterPackages,
	"net/http/cgi":                     {"bitbucket/bitbuckettest"}, // git's own http-backend, in its repository
	module + "internal/peers":          {},
	module + "internal/peers/h2frames": {},
	module + "bitbucket/bitbuckettest": {"cmd/"},

	// They call methods by name, for which the linker keeps every method of every type,
	// 2.5 MB. Their copy without that does; so no templates of cobra's either.
	"text/template": {},
	"html/template": {},
}

// violations holds every file to the rules.
func violations(files []file) []string {
	var found []string
	for _, f := range files {
		report := func(line int, format string, args ...any) {
			found = append(found, fmt.Sprintf("%s:%d: %s", f.Name, line, fmt.Sprintf(format, args...)))
		}
		for _, i := range f.Imports {
			if f.Package == "bitbucket/bitbuckettest" {
				checkStandIn(i, report)
			}
			if f.Test {
				continue // a test may use whatever it needs to prove its point
			}
			checkLayer(f, i, report)
			checkExclusive(f, i, report)
			if slices.Contains(pure, f.Package) {
				checkPure(f, i, report)
			}
		}
		if !f.Test {
			checkProxy(f, report)
		}
		for _, u := range f.Uses {
			if !f.Test && slices.Contains(addressFunctions, u.Name) && !slices.Contains(addressPackages, f.Package) {
				report(u.Line, "%s belongs to internal/hostport alone", u.Name)
			}
		}
		if !f.Test {
			checkStarters(f, report)
		}
		if f.Test || within(f.Package, "internal/peers") {
			checkPatience(f, report)
		}
		if f.Test || slices.ContainsFunc(processPackages, func(p string) bool { return within(f.Package, p) }) {
			continue
		}
		for _, u := range f.Uses {
			if slices.Contains(processGlobals, u.Name) {
				report(u.Line, "%s belongs to cmd/bitgate alone", u.Name)
			}
		}
	}
	return found
}

type reporter func(line int, format string, args ...any)

// endless are clients that wait for ever where nobody answers, and a test with them.
var endless = []string{boundlessClient, "net/http.Get", "net/http.Head", "net/http.Post", "net/http.PostForm"}

func checkPatience(f file, report reporter) {
	for _, u := range f.Uses {
		if slices.Contains(endless, u.Name) {
			report(u.Line, "%s may hang: a test's client has a Timeout, as peers.Client has", u.Name)
		}
	}
}

func checkProxy(f file, report reporter) {
	for _, i := range f.Imports {
		reaches := slices.ContainsFunc(kernel, func(k string) bool { return within(i.Name, k) })
		if reaches && (f.Package == "proxy" || strings.HasPrefix(f.Package, "proxy/")) && !slices.Contains(kernelPackages, f.Package) {
			report(i.Line, "%s must leave %s to proxy/loop and proxy/process", f.Package, i.Name)
		}
	}
	for _, u := range f.Uses {
		if slices.Contains(onLoop, f.Package) && slices.Contains(blocking, u.Name) {
			report(u.Line, "%s runs on event loops and must not wait in %s", f.Package, u.Name)
		}
	}
}

func checkStandIn(i use, report reporter) {
	for _, of := range []string{"bitbucket", "tomcat", "setup"} {
		if i.Name == module+of {
			report(i.Line, "bitbuckettest must not import %s, which it is there to test", of)
		}
	}
}

func checkLayer(f file, i use, report reporter) {
	target, ours := strings.CutPrefix(i.Name, module)
	if !ours || strings.HasPrefix(f.Package, "cmd/") {
		return
	}
	internal := strings.HasPrefix(target, "internal/") || target == "templates"
	if strings.HasPrefix(f.Package, "internal/") {
		if !internal {
			report(i.Line, "internal helpers stand below %s and must not import it", target)
		}
		return
	}
	allowed, known := layers[f.Package]
	switch {
	case !known:
		report(i.Line, "package %s has no place in the layers", f.Package)
	case !internal && !slices.Contains(allowed, target):
		report(i.Line, "%s must not import %s", f.Package, target)
	}
}

func checkExclusive(f file, i use, report reporter) {
	for library, users := range exclusive {
		if !within(i.Name, library) {
			continue
		}
		if !slices.ContainsFunc(users, func(u string) bool { return within(f.Package, u) }) {
			report(i.Line, "%s must not import %s", f.Package, i.Name)
		}
	}
}

func checkStarters(f file, report reporter) {
	if slices.ContainsFunc(starterPackages, func(p string) bool { return within(f.Package, p) }) {
		return
	}
	for _, u := range f.Uses {
		if slices.Contains(starters, u.Name) {
			report(u.Line, "%s belongs to internal/child alone", u.Name)
		}
	}
}

func checkPure(f file, i use, report reporter) {
	if names, ok := pureNames[i.Name]; ok {
		for _, u := range f.Uses {
			if name, ok := strings.CutPrefix(u.Name, i.Name+"."); ok && !slices.Contains(names, name) {
				report(u.Line, "%s is pure and must not use %s", f.Package, strings.TrimPrefix(u.Name, module))
			}
		}
		return
	}
	if target, ours := strings.CutPrefix(i.Name, module); ours {
		quiet := f.Package == "wizard" && target == "internal/quietterm"
		if strings.HasPrefix(target, "internal/") && !quiet && !slices.Contains(pure, target) {
			report(i.Line, "%s is pure and must not import %s, which is not", f.Package, target)
		}
		return
	}
	if slices.ContainsFunc(impure, func(p string) bool { return within(i.Name, p) }) {
		report(i.Line, "%s is pure and must not import %s", f.Package, i.Name)
	}
}

// within reports whether name is pattern, or lies below it where pattern ends in a slash.
func within(name, pattern string) bool {
	return name == pattern || strings.HasSuffix(pattern, "/") && strings.HasPrefix(name, pattern)
}
