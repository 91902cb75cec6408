package nginx

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const sample = `# front
user www-data;
events { worker_connections 768; }
http {
    map $http_upgrade $connection_upgrade { default upgrade; '' close; }
    log_format main '$remote_addr "$request" {a}'
                    '$status # no comment';
    server {
        listen 443 ssl; server_name git.example.com *.example.com;
        if ($http_user_agent ~* "bad\"bot;{}") { return 403; }
        location ~ "^/a{2}\.git$" { proxy_pass http://${host}_up/x; }
        location / {
            proxy_pass http://127.0.0.1:7990;   # here
            client_max_body_size 0;
        }
        content_by_lua_block { local t = { a = "it's" } }
    }
}
`

func at(t *testing.T, block []Directive, names ...string) Directive {
	t.Helper()
	var d Directive
	for _, n := range names {
		var ok bool
		if d, ok = Last(block, n); !ok {
			t.Fatalf("no %s", n)
		}
		block = d.Block
	}
	return d
}

func TestParse(t *testing.T) {
	conf, err := Parse(Source{"nginx.conf", []byte(sample)})
	if err != nil {
		t.Fatal(err)
	}
	server := at(t, conf, "http", "server").Block
	for _, c := range []struct {
		d    Directive
		line int
		args []string
	}{
		{at(t, conf, "user"), 2, []string{"www-data"}},
		{at(t, conf, "events", "worker_connections"), 3, []string{"768"}},
		{at(t, conf, "http", "log_format"), 6, []string{"main", `$remote_addr "$request" {a}`, "$status # no comment"}},
		{at(t, server, "listen"), 9, []string{"443", "ssl"}},
		{at(t, server, "server_name"), 9, []string{"git.example.com", "*.example.com"}},
		{at(t, server, "if"), 10, []string{"($http_user_agent", "~*", `bad"bot;{}`, ")"}},
		{All(server, "location")[1], 12, []string{"/"}},
		{at(t, server, "location", "proxy_pass"), 13, []string{"http://127.0.0.1:7990"}},
		{at(t, server, "location", "client_max_body_size"), 14, []string{"0"}},
	} {
		if c.d.Line != c.line {
			t.Errorf("%s is on line %d, want %d", c.d.Name, c.d.Line, c.line)
		}
		if diff := cmp.Diff(c.args, c.d.Args); diff != "" {
			t.Errorf("%s: %s", c.d.Name, diff)
		}
	}
}

// TestLikeNginx: what is refused here nginx refuses, too, and the other way round.
func TestLikeNginx(t *testing.T) {
	program, err := exec.LookPath("nginx")
	if err != nil {
		if os.Getenv("BITGATE_PEERS") == "required" {
			t.Fatal(err)
		}
		t.Skip("nginx is not installed")
	}
	for name, c := range map[string]struct {
		text string
		good bool
	}{
		"empty blocks":        {"events {} http {}", true},
		"quotes":              {`events {} http { log_format a "x\"y;" 'z {'; }`, true},
		"comment at the end":  {"events {} # and", true},
		"variable in braces":  {`events {} http { access_log off; server { set $a "b${uri}c"; return 200 ${a}x; } }`, true},
		"closed twice":        {"events {} }", false},
		"not closed":          {"events {", false},
		"quote not closed":    {`events {} http { log_format a "x; }`, false},
		"no semicolon":        {"events {} user www-data", false},
		"semicolon alone":     {"events {} ;", false},
		"brace alone":         {"events {} {}", false},
		"# within a word":     {"events {} http { log_format a b#c; }", true},
		"end brace in a word": {"events {} http { log_format a b}c; }", true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			text := "pid " + dir + "/pid; error_log stderr;\n" + c.text
			if _, err := Parse(Source{"x", []byte(text)}); (err == nil) != c.good {
				t.Errorf("we: %v", err)
			}
			file := filepath.Join(dir, "nginx.conf")
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command(program, "-t", "-p", dir, "-c", file).CombinedOutput()
			if (err == nil) != c.good {
				t.Errorf("nginx: %s", out)
			}
		})
	}
}

func TestIncludes(t *testing.T) {
	files := map[string]string{"a/*.conf": "server { listen 1; include b; }", "b": "gzip on;", "loop": "include loop;"}
	include := func(pattern string) []Source {
		if text, ok := files[pattern]; ok {
			return []Source{{pattern, []byte(text)}}
		}
		return nil
	}
	conf, err := Load(Source{"main", []byte("http {\n include a/*.conf;\n include nothing; }")}, include)
	if err != nil {
		t.Fatal(err)
	}
	if d := at(t, conf, "http", "server", "gzip"); d.File != "b" || d.Line != 1 {
		t.Errorf("%+v", d)
	}
	if _, err := Load(Source{"loop", []byte("include loop;")}, include); err == nil {
		t.Error("includes that include themselves never end")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(sample))
	for _, dir := range []string{"/etc/nginx/*", "/etc/nginx/*/*"} {
		found, _ := filepath.Glob(dir)
		for _, name := range found {
			if data, err := os.ReadFile(name); err == nil {
				f.Add(data)
			}
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		conf, err := Parse(Source{"x", data})
		if err != nil {
			return
		}
		lines := strings.Count(string(data), "\n") + 1
		var check func([]Directive)
		check = func(block []Directive) {
			for _, d := range block {
				if d.Line < 1 || d.Line > lines {
					t.Errorf("%s is on line %d of %d", d.Name, d.Line, lines)
				}
				check(d.Block)
			}
		}
		check(conf)
	})
}
