package bitbuckettest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFilesTellVersionAndHome(t *testing.T) {
	for _, c := range []struct {
		version string
		there   []string
		absent  []string
	}{
		{"3.7.4", []string{"home/shared/stash-config.properties", "install/conf/server.xml", "install/atlassian-stash/WEB-INF", "home/log/atlassian-stash.log", "install/bin/setenv.sh"}, []string{"home/shared/server.xml", "install/app"}},
		{"3.11.6", []string{"home/shared/stash-config.properties", "home/shared/server.xml", "install/conf/server.xml", "install/conf/scripts.cfg"}, []string{"home/shared/bitbucket.properties"}},
		{"4.14.12", []string{"home/shared/bitbucket.properties", "home/shared/server.xml", "install/atlassian-bitbucket/WEB-INF", "install/elasticsearch", "install/bin/set-bitbucket-home.sh"}, []string{"install/app"}},
		{"5.16.0", []string{"home/shared/bitbucket.properties", "install/app/META-INF/MANIFEST.MF", "install/bin/_start-webapp.sh", "install/elasticsearch"}, []string{"home/shared/server.xml", "install/conf"}},
		{"7.21.0", []string{"install/opensearch"}, []string{"install/elasticsearch"}},
		{"10.2.0", []string{"install/app/WEB-INF", "home/log/atlassian-bitbucket.log"}, []string{"install/opensearch"}},
	} {
		t.Run(c.version, func(t *testing.T) {
			dir := t.TempDir()
			s, err := New(Options{Dir: dir, Version: c.version})
			if err != nil {
				t.Fatal(err)
			}
			for _, path := range c.there {
				if _, err := os.Stat(filepath.Join(dir, path)); err != nil {
					t.Error(err)
				}
			}
			for _, path := range c.absent {
				if _, err := os.Stat(filepath.Join(dir, path)); err == nil {
					t.Errorf("%s exists", path)
				}
			}
			log, err := os.ReadFile(s.LogFile())
			if err != nil || !strings.Contains(string(log), s.gen.product()+" "+c.version+" starting up") {
				t.Errorf("log: %v %s", err, log)
			}
			if info, err := os.Stat(s.propertiesPath()); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("properties: %v %v", info.Mode(), err)
			}
		})
	}
}

func TestAnonymousReading(t *testing.T) {
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			s := start(t, Options{Version: version, BaseURL: "http://mycompany.com:7990/code", Context: "/code"})
			b := newBrowser(t, s)
			var properties struct{ Version, DisplayName string }
			if err := json.Unmarshal([]byte(b.get("/rest/api/latest/application-properties").body), &properties); err != nil || properties.Version != version || properties.DisplayName != s.gen.product() {
				t.Errorf("%+v %v", properties, err)
			}
			if a := b.get("/rest/applinks/1.0/manifest"); !strings.Contains(a.body, "<url>http://mycompany.com:7990/code</url>") || !strings.HasPrefix(a.header.Get("Content-Type"), "application/xml") {
				t.Errorf("manifest: %s", a.body)
			}
			var manifest struct{ URL string }
			if err := json.Unmarshal([]byte(b.get("/rest/applinks/3.0/manifest", "Accept", "application/json").body), &manifest); err != nil || manifest.URL != "http://mycompany.com:7990/code" {
				t.Errorf("%+v %v", manifest, err)
			}
			for _, path := range []string{"/rest/ssh/latest/settings", "/rest/applinks/1.0/listApplicationlinks", "/rest/api/1.0/projects/PROJ/repos/repo"} {
				if a := b.get(path); a.code != 401 {
					t.Errorf("%s: %d", path, a.code)
				}
			}
			if a := b.get("/rest/confapi/1/settings"); a.code != 404 {
				t.Errorf("ConfAPI that is not installed: %d", a.code)
			}
		})
	}
	for version, code := range map[string]int{"7.21.0": 404, "9.4.16": 401} {
		s := start(t, Options{Version: version, NoManifest: true})
		if a := newBrowser(t, s).get("/rest/applinks/1.0/manifest"); a.code != code {
			t.Errorf("%s without manifest: %d", version, a.code)
		}
	}
}

func TestCloneURLsFollowTheSettings(t *testing.T) {
	s := start(t, Options{Version: "9.4.16", PublicRepo: true, BaseURL: "https://git.example.com/code"})
	b := newBrowser(t, s)
	links := func() (string, string) {
		var page struct {
			Values []struct {
				Links struct {
					Clone []struct{ Href, Name string }
				}
			}
		}
		if err := json.Unmarshal([]byte(b.get("/rest/api/1.0/repos?limit=1").body), &page); err != nil || len(page.Values) != 1 {
			t.Fatalf("%v, %d repositories", err, len(page.Values))
		}
		http, ssh := "", ""
		for _, l := range page.Values[0].Links.Clone {
			if l.Name == "ssh" {
				ssh = l.Href
			} else {
				http = l.Href
			}
		}
		return http, ssh
	}
	http, ssh := links()
	if http != "https://git.example.com/code/scm/proj/repo.git" || ssh != "ssh://git@git.example.com:"+s.Fields()["sshPort"]+"/proj/repo.git" {
		t.Errorf("%s, %s", http, ssh)
	}
	s.SetField("sshBaseURL", "ssh://code.example.com")
	if _, ssh := links(); ssh != "ssh://git@code.example.com/proj/repo.git" {
		t.Errorf("%s", ssh)
	}
	s.SetField("sshEnabled", "false")
	if _, ssh := links(); ssh != "" {
		t.Errorf("%s with SSH off", ssh)
	}
}

func TestConfAPI(t *testing.T) {
	s := start(t, Options{Version: "7.17.0", ConfAPI: true})
	b := newBrowser(t, s)
	if a := b.get("/rest/confapi/1/settings"); a.code != 401 {
		t.Errorf("anonymous: %d", a.code)
	}
	b.base = strings.Replace(b.base, "://", "://admin:admin@", 1)
	before := s.Fields()
	a := b.do("PUT", "/rest/confapi/1/settings", `{"baseUrl":"https://git.example.com"}`, "Content-Type", "application/json")
	if a.code != 200 || !strings.Contains(a.body, `"baseUrl":"https://git.example.com"`) || s.BaseURL() != "https://git.example.com" || s.Fields()["title"] != before["title"] {
		t.Errorf("%d %s", a.code, a.body)
	}
	if a := b.do("PUT", "/rest/confapi/1/settings", "baseUrl=x"); a.code != 403 {
		t.Errorf("PUT without XSRF proof: %d", a.code)
	}
	if a := b.do("DELETE", "/rest/api/1.0/admin/users/captcha?name=admin", "", "X-Atlassian-Token", "no-check"); a.code != 204 {
		t.Errorf("clearing the CAPTCHA: %d", a.code)
	}
}

func TestFirstRunTakesSetupProperties(t *testing.T) {
	s, err := New(Options{Dir: t.TempDir(), Version: "9.4.16", State: "FIRST_RUN"})
	if err != nil {
		t.Fatal(err)
	}
	edit(t, s, "setup.displayName", "setup.baseUrl=https://git.example.com\nsetup.displayName")
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.BaseURL() != "https://git.example.com" || s.State() != "FIRST_RUN" || s.Fields()["title"] != "Bitbucket of Müller & Söhne" {
		t.Errorf("%s %s %s", s.BaseURL(), s.State(), s.Fields()["title"])
	}
	s.SetState("RUNNING")
	edit(t, s, "git.example.com", "other.example.com")
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	if s.BaseURL() != "https://git.example.com" {
		t.Errorf("setup.baseUrl worked after the first run: %s", s.BaseURL())
	}
}
