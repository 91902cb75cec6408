package local

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bitgate/internal/peers"
)

// answerOf is what a front says when a browser asks for a page of git.example.com.
func answerOf(t *testing.T, port int, path string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d%s/projects", port, path), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = fmt.Sprintf("git.example.com:%d", port)
	res, err := (&http.Client{Timeout: 30 * time.Second}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", req.URL, res.Status, err)
	}
	return string(text)
}

// TestTheServerAndLocationThatNginxChooses: nginx itself is asked for a page, and what is
// read is what answers. Of an expression that cannot be tried it is said.
func TestTheServerAndLocationThatNginxChooses(t *testing.T) {
	named := func(names ...string) string {
		var out string
		for i, name := range names {
			out += fmt.Sprintf("server { listen 127.0.0.1:PORT; server_name %s; location / { return 200 %d; proxy_pass http://10.0.0.1:%[2]d; } }\n", name, i+1)
		}
		return out
	}
	located := func(locations ...string) string {
		out := "server { listen 127.0.0.1:PORT; server_name git.example.com;\n"
		for i, l := range locations {
			nested := strings.Contains(l, "{")
			out += fmt.Sprintf("location %s { return 200 %d; proxy_pass http://10.0.0.1:%[2]d; }", l, i+1)
			if nested {
				out += " }"
			}
			out += "\n"
		}
		return out + "}\n"
	}
	cases := map[string]struct {
		path, servers, doubt string
	}{
		"the name after wildcards": {"", named("git.*", "*.example.com", "git.example.com"), ""},
		"a wildcard behind":        {"", named("www.example.com", "git.*", `~^git\.`), ""},
		"the longer one":           {"", named("git.*", "*.com", "*.example.com", "git.example.*"), ""},
		"a dot":                    {"", named("www.example.com", ".example.com"), ""},
		"a dot, for the name":      {"", named("*.example.com", ".git.example.com"), ""},
		"no part of a label":       {"", named("www.example.com", "*.t.example.com", ".xample.com"), ""},
		"an expression":            {"", named("www.example.com", `~^WWW\.`, `"~^(?<label>GI\D)\.example"`, `~^git`), ""},
		"the default":              {"", strings.Replace(named("a", "b", "c"), "PORT; server_name b", "PORT default_server; server_name b", 1), ""},
		"the first":                {"", named("a", "b"), ""},
		"an expression of PCRE":    {"", named("www.example.com", `~^(?!www)`), "`~^(?!www)`"},
		"which is asked last":      {"", named("~^(?!www)", "git.*"), ""},
		"which is asked behind":    {"", named("~^git", "~^(?!www)"), ""},

		"the longest prefix":               {"/bitbucket", located("/", "/bitbucket", "/bit"), ""},
		"an expression before the prefix":  {"/bitbucket", located("/bitbucket/", "~ ^/bitbucket", "~ /projects$"), ""},
		"by any case":                      {"/bitbucket", located("/bitbucket/", "~ ^/BITBUCKET", "~* ^/BITBUCKET"), ""},
		"not where the prefix forbids it":  {"/bitbucket", located("~ ^/bitbucket", "^~ /bitbucket/"), ""},
		"expressions of other things":      {"/bitbucket", located(`~ \.php$`, `~* \.(png|css)$`, "= /bitbucket/", "/"), ""},
		"what stands in the prefix":        {"/bitbucket", located("/bitbucket { location ~ projects", "~ ^/bitbucket"), ""},
		"one that needs PCRE":              {"/bitbucket", located("/", "~ ^/(?!static)"), "`location ~ ^/(?!static) {`"},
		"one that is not asked":            {"/bitbucket", located("^~ /bitbucket", "~ ^/(?!static)"), ""},
		"an expression without a blank":    {"/bitbucket", located("/bitbucket/", "~^/bitbucket"), ""},
		"by any case, without a blank":     {"/bitbucket", located("/bitbucket/", "~^/BITBUCKET", "~*^/BITBUCKET"), ""},
		"forbidden without a blank":        {"/bitbucket", located("~^/bitbucket", "^~/bitbucket/"), ""},
		"the path itself without a blank":  {"/bitbucket", located("/", "=/bitbucket/projects"), ""},
		"nothing is asked for a named one": {"", located("@bitbucket", "/"), ""},
	}
	dir, conf := t.TempDir(), ""
	port := map[string]int{}
	for name, c := range cases {
		port[name] = peers.FreePort(t)
		conf += strings.ReplaceAll(c.servers, "PORT", fmt.Sprint(port[name]))
	}
	conf = fmt.Sprintf("user root;\npid %[1]s/pid;\nerror_log %[1]s/log;\nevents {}\nhttp {\naccess_log off; client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy;\n%[2]s}\n", dir, conf)
	if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	peers.Start(t, exec.Command(peers.Path(t, "nginx"), "-c", filepath.Join(dir, "nginx.conf"), "-g", "daemon off;"))
	for name, c := range cases {
		address := fmt.Sprintf("127.0.0.1:%d", port[name])
		peers.WaitFor(t, "nginx", func() bool { return peers.Accepts(address) })
		answer := answerOf(t, port[name], c.path)
		s, _ := site(t, fmt.Sprintf("https://git.example.com:%d%s", port[name], c.path), "nginx.conf", conf)
		switch {
		case c.doubt != "" && !strings.Contains(s.Doubt, c.doubt+" in line "):
			t.Errorf("%s: %q, %+v", name, s.Doubt, s.Servers)
		case c.doubt == "" && (s.Doubt != "" || len(s.Servers) != 1 || s.Servers[0].Value != "10.0.0.1:"+answer):
			t.Errorf("%s: %q, %+v, and nginx chooses %s", name, s.Doubt, s.Servers, answer)
		}
	}
}
