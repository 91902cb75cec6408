package stage_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"bitgate/haproxy"
	"bitgate/haproxy/live"
	"bitgate/haproxy/live/stage"
	"bitgate/haproxy/rehearsal"
	"bitgate/internal/publicurl"
)

// TestCorpus: what bitgate merges into real files passes the rehearsal; a finding
// is a fault of the merge, or a false alarm.
func TestCorpus(t *testing.T) {
	root := os.Getenv("BITGATE_CORPUS")
	if root == "" {
		root = "../../../../shared/corpus"
	}
	files, _ := filepath.Glob(filepath.Join(root, "haproxy_cfg", "*"))
	if len(files) == 0 {
		t.Skip("SKIPPED: no real haproxy.cfg files here; set BITGATE_CORPUS")
	}
	each(t, func(t *testing.T, in live.Install) {
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, listen := range []string{":443", tlsPort(data)} {
				if listen != "" {
					t.Run(filepath.Base(file)+listen, func(t *testing.T) { corpusFile(t, in, data, listen) })
				}
			}
		}
	})
}

// tlsPort is an address besides :443 that a file binds with TLS, "" without one.
func tlsPort(data []byte) string {
	for _, b := range haproxy.ParseSet([]haproxy.Source{{Path: "/a", Data: data}}).Binds() {
		if i := strings.LastIndexByte(b.Address, ':'); b.SSL && i >= 0 && b.Address[i:] != ":443" && !strings.ContainsAny(b.Address, "$-/") {
			return b.Address[i:]
		}
	}
	return ""
}

var owner = regexp.MustCompile(`(?m)^(\s*(?:user|group)\s+)\S+\s*$`)

func corpusFile(t *testing.T, in live.Install, data []byte, listen string) {
	t.Parallel()
	dir := folder(t)
	www := filepath.Join(dir, "www.pem")
	if err := os.WriteFile(www, bundle(t, "www.example.org", "*.example.org"), 0o600); err != nil {
		t.Fatal(err)
	}
	data = owner.ReplaceAll(certificates(data, www), []byte("${1}root"))
	if !strings.HasSuffix(string(data), "\n") {
		data = append(data, '\n')
	}
	url, err := publicurl.Parse("https://git.example.com" + strings.TrimSuffix(listen, ":443") + "/bitbucket")
	if err != nil {
		t.Fatal(err)
	}
	src := haproxy.Source{Path: filepath.Join(dir, "haproxy.cfg"), Data: data}
	pem := filepath.Join(dir, "git.pem")
	m, err := haproxy.ParseSet([]haproxy.Source{src}).Merge(haproxy.Site{
		URL: url, Listen: []string{listen}, Bundle: pem, Upstream: "127.0.0.1:7990", MaxConn: 50, Version: in.Version,
	})
	if err != nil {
		t.Logf("CORPUS\trefused\t%v", err)
		return
	}
	if err := os.WriteFile(src.Path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	r := stage.Rehearsal{
		Program: program, Bin: in.Bin, Before: []haproxy.Source{src}, After: []haproxy.Source{{Path: src.Path, Data: m.After}},
		New:       []stage.File{{Path: pem, Data: bundle(t, "git.example.com")}},
		Bitbucket: rehearsal.Bitbucket{URL: url, Upstreams: []string{"127.0.0.1:7990"}, Listen: []string{listen}},
	}.Run(t.Context())
	t.Logf("CORPUS\t%s\t%.2f s\t%d MB", r.Summary(), r.Took.Seconds(), r.Memory>>20)
	for _, s := range r.Skipped {
		t.Log(s)
	}
	// A rule that gives every request to another host: no false alarm, and it must be found.
	if strings.Contains(string(data), "set-header Host httpbin.org") && listen == ":8000" {
		if len(r.Findings) != 1 || !strings.Contains(strings.Join(r.Findings[0].Cause, ""), "set-header Host httpbin.org") {
			t.Errorf("the rule about the host is not found: %+v", r.Findings)
		}
		return
	}
	// Who asks every client for a certificate keeps git and browsers out: no false
	// alarm, and it must be found.
	mutual := joinsMutualTLS(data, listen)
	if found := len(r.Findings) == 1 && r.Findings[0].What == "certificate required"; found != mutual {
		t.Errorf("clients need certificates: %t; found: %t", mutual, found)
	} else if found {
		return
	}
	for _, f := range r.Findings {
		t.Errorf("%d requests (%s, ...): %s\n%s", len(f.Requests), f.Requests[0], f.What, strings.Join(f.Cause, "\n"))
	}
}

// joinsMutualTLS reports whether the file asks the clients of this port for a
// certificate (HAProxy manual, section 5.1: verify required).
func joinsMutualTLS(data []byte, listen string) bool {
	for _, l := range haproxy.Parse(data).Lines {
		if len(l.Words) > 1 && l.Words[0].Text == "bind" && strings.HasSuffix(l.Words[1].Text, listen) &&
			slices.ContainsFunc(l.Words, func(w haproxy.Word) bool { return w.Text == "required" }) {
			return true
		}
	}
	return false
}

// certificates puts one that is there in the place of those that the lines name.
func certificates(data []byte, path string) []byte {
	var out []byte
	at := 0
	for _, l := range haproxy.Parse(data).Lines {
		for i, w := range l.Words {
			if i > 0 && l.Words[0].Text == "bind" && slices.Contains([]string{"crt", "ca-file"}, l.Words[i-1].Text) {
				out = append(append(out, data[at:w.Start]...), path...)
				at = w.End
			}
		}
	}
	return append(out, data[at:]...)
}
