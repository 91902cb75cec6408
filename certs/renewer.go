package certs

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"bitgate/internal/pattern"
	"bitgate/internal/problem"
)

// Renewer is a program that renews a certificate by itself.
type Renewer struct {
	Name       string // "certbot", "" for none
	Standalone bool   // it opens a port itself to be asked by the authority
	Port       int    // which one, where that is not 80: whoever has 80 must pass the question on to it
	Conf       string // certbot's file about this renewal
	Hooks      string // certbot's folder of programs that run after a renewal
	Option     string // where the others are told what to run after a renewal
	Timer      string // what runs it regularly, "" where nothing was found
}

var (
	certbotStandalone = pattern.Lazy(`(?m)^\s*authenticator\s*=\s*standalone\s*$`)
	certbotPort       = pattern.Lazy(`(?m)^\s*http01_port\s*=\s*(\d{1,5})\s*$`)
	acmePort          = pattern.Lazy(`(?m)^Le_HTTPPort='(\d{1,5})'`)
	acmeStandalone    = pattern.Lazy(`(?m)^Le_Webroot='no'`)
	dehydratedFile    = pattern.Lazy(`^fullchain-\d+\.pem$`)
)

// RenewerOf says which program renews the certificate in a file, by what certbot,
// acme.sh, lego and dehydrated keep beside it. What cannot be read is passed over.
func RenewerOf(path string) Renewer {
	dir, file := filepath.Split(path)
	dir = filepath.Clean(dir)
	name, top := filepath.Base(dir), filepath.Dir(filepath.Dir(dir))
	beside := func(path string) []byte {
		data, _, _ := read(OpenTrusted, path)
		return data
	}
	if filepath.Base(filepath.Dir(dir)) == "live" {
		if conf := beside(filepath.Join(top, "renewal", name+".conf")); conf != nil {
			return Renewer{
				Name: "certbot", Standalone: certbotStandalone().Match(conf), Port: otherPort(certbotPort(), conf),
				Conf: filepath.Join(top, "renewal", name+".conf"), Hooks: filepath.Join(top, "renewal-hooks/deploy"),
			}
		}
	}
	if conf := beside(filepath.Join(dir, strings.TrimSuffix(name, "_ecc")+".conf")); bytes.Contains(conf, []byte("Le_Domain=")) {
		return Renewer{Name: "acme.sh", Standalone: acmeStandalone().Match(conf), Port: otherPort(acmePort(), conf), Option: "--reloadcmd of acme.sh --install-cert"}
	}
	if bytes.Contains(beside(strings.TrimSuffix(path, filepath.Ext(path))+".json"), []byte(`"certUrl"`)) {
		return Renewer{Name: "lego", Option: "the hook of lego's renewal"}
	}
	if target, err := os.Readlink(path); err == nil && file == "fullchain.pem" && dehydratedFile().MatchString(filepath.Base(target)) {
		return Renewer{Name: "dehydrated", Option: "deploy_cert in dehydrated's HOOK"}
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(dir), "private", name, "key.pem")); err == nil && file == "cert.pem" {
		return Renewer{Name: "uacme", Option: "uacme's hook (-h)"}
	}
	return Renewer{}
}

// otherPort is the port in a renewer's settings, 0 for none, for 80, and for nonsense.
func otherPort(setting *regexp.Regexp, conf []byte) int {
	m := setting.FindSubmatch(conf)
	if m == nil {
		return 0
	}
	port, err := strconv.Atoi(string(m[1]))
	if err != nil || port == 80 || port < 1 || port > 65535 {
		return 0
	}
	return port
}

// kept are where renewers keep their certificates, below the root.
var kept = []string{"/etc/letsencrypt/live", "/root/.acme.sh", "/root/.lego/certificates", "/etc/lego/certificates", "/var/lib/dehydrated/certs", "/etc/dehydrated/certs", "/etc/ssl/uacme"}

// Rivals tell of the programs that renew a certificate for a host that bitgate orders
// one for: they have one, and something on the machine below root runs them. The one
// whose certificate the front has is to stay.
func Rivals(root, host string) []problem.Finding {
	var folders []string
	for _, dir := range kept {
		folders = append(folders, filepath.Join(root, dir))
	}
	var out []problem.Finding
	seen := map[string]bool{}
	for _, pair := range Find(folders) {
		r := RenewerOf(pair.Cert)
		if r.Timer = r.TimerBelow(root); r.Timer == "" || seen[r.Name] || !slices.Contains(pair.Names, host) {
			continue
		}
		seen[r.Name] = true
		out = append(out, problem.Finding{
			ID: "renewal", Level: problem.Warn, Title: "Renewal of the certificate", Found: r.Name + " (" + r.Timer + ") renews a certificate for " + host + ", and bitgate does, too",
			Why: "both count against what an authority allows for a name, and may be in each other's way at port 80; the front has bitgate's", Do: "leave it to bitgate: " + r.leave(pair.Cert),
		})
	}
	return out
}

// leave is how the program is told to renew its certificate no more.
func (r Renewer) leave(cert string) string {
	name := filepath.Base(filepath.Dir(cert))
	switch r.Name {
	case "certbot":
		return "certbot delete --cert-name " + problem.ShellWord(name)
	case "acme.sh":
		return "acme.sh --remove -d " + problem.ShellWord(strings.TrimSuffix(name, "_ecc"))
	}
	return "take the name out of " + r.Name + "'s list"
}

// Deploys reports whether one of certbot's hooks makes a bundle again.
func (r Renewer) Deploys(bundle string) bool {
	hooks, _ := os.ReadDir(r.Hooks)
	for _, h := range hooks {
		data, _, err := read(OpenTrusted, filepath.Join(r.Hooks, h.Name()))
		if err == nil && (bytes.Contains(data, []byte("cert deploy")) || bytes.Contains(data, []byte("cert bundle")) && bytes.Contains(data, []byte(bundle))) {
			return true
		}
	}
	return false
}
