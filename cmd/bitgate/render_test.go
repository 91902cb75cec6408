package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bitgate/haproxy"
	"bitgate/internal/publicurl"
)

// What was merged comes out again byte for byte, from the file that is named
// where several hold parts of ours.
func TestRenderRemove(t *testing.T) {
	dir := t.TempDir()
	base, www := filepath.Join(dir, "00-base.cfg"), filepath.Join(dir, "10-www.cfg")
	original := map[string]string{
		base: "global\n    daemon\ndefaults\n    mode http\n",
		www:  "frontend www\r\n\tbind :443 ssl crt /etc/ssl/www.pem\r\n\tdefault_backend www\r\nbackend www", // no line end
	}
	u, err := publicurl.Parse("https://git.example.com/bitbucket")
	if err != nil {
		t.Fatal(err)
	}
	m, err := haproxy.Merge([]haproxy.Source{{Path: base, Data: []byte(original[base])}, {Path: www, Data: []byte(original[www])}}, haproxy.Site{
		URL: u, Listen: []string{":443"}, Bundle: "/etc/haproxy/git.pem", Upstream: "127.0.0.1:7990", Version: haproxy.Version{Major: 2, Minor: 6},
	})
	if err != nil || len(m.Also) != 1 {
		t.Fatalf("%v, %d other files", err, len(m.Also))
	}
	for _, f := range append(m.Also, m) {
		if err := os.WriteFile(f.Path, f.After, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range original {
		code, got, errText := inProcess(t, nil, "", "render", "haproxy", "--remove", "--haproxy-cfg", path)
		if code != 0 || got != want {
			t.Errorf("%s: exit code %d, %s\n%q", path, code, errText, got)
		}
	}
	if code, got, errText := inProcess(t, nil, "", "render", "haproxy", "--remove", "--haproxy-cfg", dir); code == 0 || got != "" || !strings.Contains(errText, www) {
		t.Errorf("two files: exit code %d, %q, %s", code, got, errText)
	}
	if err := os.WriteFile(www, []byte(original[www]), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, got, errText := inProcess(t, nil, "", "render", "haproxy", "--remove", "--haproxy-cfg", www); code == 0 || got != "" || !strings.Contains(errText, "nothing of bitgate's") {
		t.Errorf("no part: exit code %d, %q, %s", code, got, errText)
	}
	if now, err := os.ReadFile(base); err != nil || !bytes.Equal(now, m.After) {
		t.Errorf("render changed the file (%v)", err)
	}
	if code, _, _ := inProcess(t, nil, "", "render", "properties", "--remove"); code == 0 {
		t.Error("--remove of something else was accepted")
	}
}

// An IPv6 address has its brackets in Bitbucket's settings, as it has them in a URL.
func TestRenderAddressAsName(t *testing.T) {
	for what, want := range map[string]string{"properties": "server.proxy-name=[2001:db8::7]\n", "server.xml": `proxyName="[2001:db8::7]"`} {
		if code, got, errText := inProcess(t, nil, "", "render", what, "--url", "https://[2001:db8::7]/bitbucket"); code != 0 || !strings.Contains(got, want) {
			t.Errorf("%s: exit code %d, %s\n%s", what, code, errText, got)
		}
	}
}
