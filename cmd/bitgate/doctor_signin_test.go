package main

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"bitgate/internal/problem"
)

// jira is a linked application: it keeps an address of Bitbucket, and tells its
// administrator in the form of the plugin that every Atlassian product has.
type jira struct {
	*httptest.Server
	mu      sync.Mutex
	display string
	rpc     string
}

func newJira(t *testing.T, bitbucket string) *jira {
	j := &jira{display: bitbucket, rpc: bitbucket}
	j.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		j.mu.Lock()
		defer j.mu.Unlock()
		user, password, _ := r.BasicAuth()
		switch {
		case r.URL.Path != "/rest/applinks/1.0/listApplicationlinks":
			http.NotFound(w, r)
		case user != "jadmin" || password != "pass word":
			w.WriteHeader(http.StatusUnauthorized)
		default:
			link := func(kind, name, display, rpc string) any {
				return map[string]any{"application": map[string]string{"typeId": kind, "name": name, "displayUrl": display, "rpcUrl": rpc}}
			}
			_ = json.NewEncoder(w).Encode(map[string]any{"list": []any{
				link("confluence", "Wiki", "https://wiki.example.com", "https://wiki.example.com"), link("stash", "Our Git", j.display, j.rpc),
			}})
		}
	}))
	t.Cleanup(j.Close)
	return j
}

func (j *jira) relink(display, rpc string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.display, j.rpc = display, rpc
}

// asAdministrator has verify sign in, at Bitbucket and at what is linked.
func (d *desk) asAdministrator() {
	d.write("netrc", "machine 127.0.0.1 login jadmin password \"pass word\"\n")
	d.extra = []string{"--admin-user", "admin", "--admin-password-file", d.file("password"), "--app-links-netrc", d.file("netrc")}
}

// lockOut fails five times, as a script with an old password does.
func (d *desk) lockOut() {
	d.t.Helper()
	d.asAdministrator()
	for range 5 {
		req, err := http.NewRequest(http.MethodGet, d.bb.Upstream()+"/bitbucket/rest/api/1.0/projects/PROJ/repos/repo", nil)
		d.must(err)
		req.SetBasicAuth("admin", "of last year")
		res, err := (&http.Client{Timeout: time.Minute}).Do(req)
		d.must(err)
		res.Body.Close()
	}
}

// atLogin is a person who opens the login page and solves the CAPTCHA there.
func (d *desk) atLogin(page string) {
	d.t.Helper()
	c := &http.Client{Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	res, err := c.Get(page)
	d.must(err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	d.must(err)
	if !strings.Contains(string(body), "<title>Log in") { // where a script of Bitbucket's shows the CAPTCHA
		d.t.Errorf("%s is not the login page: %s", page, body)
	}
	d.bb.ClearCaptcha()
}

// TestLinksOnTheOtherSide: what is said of a linked application, with and without its
// administrator, and with one whom it refuses; no password is printed.
func TestLinksOnTheOtherSide(t *testing.T) {
	d := newDesk(t, "haproxy")
	links := func() problem.Finding {
		for _, f := range d.verify() {
			if f.ID == "app-links" {
				return f
			}
		}
		t.Fatal("application links were not looked at")
		return problem.Finding{}
	}
	page := fmt.Sprintf("open %s/plugins/servlet/applinks/listApplicationLinks and set Application URL and Display URL of the link to Bitbucket to %s (", d.jira.URL, d.url())
	d.asAdministrator()
	d.write("refused", "machine 127.0.0.1 login jadmin password none\n")
	d.write("other", "machine jira.example.com login jadmin password none\n")
	signed := d.extra[:4]
	for _, c := range []struct {
		name  string
		extra []string
		level problem.Level
		found string
		do    bool
	}{
		{"as it should be", d.extra, problem.OK, "Jira (" + d.jira.URL + ") links to " + d.url(), false},
		{"nobody named", signed, problem.Note, "Jira (" + d.jira.URL + ")", true},
		{"refused", append(signed[:4:4], "--app-links-netrc", d.file("refused")), problem.Note, "not read back: " + d.jira.URL + " refuses jadmin (HTTP 401)", true},
		{"another host", append(signed[:4:4], "--app-links-netrc", d.file("other")), problem.Note, "no login for 127.0.0.1 was given", true},
	} {
		d.extra = c.extra
		f := links()
		if f.Level != c.level || !strings.Contains(f.Found, c.found) || strings.HasPrefix(f.Do, page) != c.do || strings.Contains(fmt.Sprint(f), "pass word") {
			t.Errorf("%s: %+v", c.name, f)
		}
	}
	d.asAdministrator()
	d.jira.relink(d.url(), "http://localhost:7990/bitbucket")
	if f := links(); f.Level != problem.Warn || !strings.Contains(f.Found, "asks http://localhost:7990/bitbucket itself") || !strings.HasPrefix(f.Do, page) {
		t.Errorf("another Application URL: %+v", f)
	}
}
