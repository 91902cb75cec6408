package apply_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"bitgate/certs"
	"bitgate/setup"
	"bitgate/setup/journal"
)

// world is all that a run may change: files, settings, the running instance
// (its context path, and whom its connector takes itself for).
type world struct {
	files          map[string]string
	url, ctx, seen string
}

func (m *machine) world() world {
	return world{m.fingerprint(), m.BB.BaseURL(), m.BB.ContextPath(), m.seen()}
}

// seen is where a redirect of the running instance leads: that shows which
// connector settings it has read, as its context path does not always.
func (m *machine) seen() string {
	res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(httptest.NewRequest(http.MethodGet, m.BB.Upstream()+m.BB.ContextPath()+"/", nil))
	if err != nil {
		return "down"
	}
	res.Body.Close()
	return res.Header.Get("Location") + m.served()
}

// served is the certificate that Bitbucket shows without a front, "" where it does no
// TLS. A handshake that takes too long says neither.
func (m *machine) served() string {
	if m.Front != setup.FrontTomcat {
		return ""
	}
	for range 20 {
		leaf, err := certs.Served(m.t.Context(), m.Probe.Input.Listen[0], "localhost")
		if err == nil {
			return " with TLS " + certs.Fingerprint(leaf)
		}
		if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, os.ErrDeadlineExceeded) {
			return ""
		}
	}
	m.t.Fatal("no handshake ended in time")
	return ""
}

// is says how the world differs from another, "" for not at all.
func (w world) is(other world) string {
	lines := differences(other.files, w.files)
	if w.url != other.url {
		lines = append(lines, fmt.Sprintf("base URL %s, was %s", w.url, other.url))
	}
	if w.ctx != other.ctx {
		lines = append(lines, fmt.Sprintf("Bitbucket serves %q, was %q", w.ctx, other.ctx))
	}
	if w.seen != other.seen {
		lines = append(lines, fmt.Sprintf("Bitbucket redirects to %s, was %s", w.seen, other.seen))
	}
	return strings.Join(lines, "\n")
}

// picture is the machine at one moment, to come back to.
type picture struct {
	m     *machine
	files map[string]kept
	world world
}

type kept struct {
	mode fs.FileMode
	data string
}

func (m *machine) takePicture() picture {
	return picture{m, m.everything(), m.world()}
}

// everything is what a run may touch, the state directory included.
func (m *machine) everything() map[string]kept {
	out := map[string]kept{}
	for _, top := range []string{"bitbucket/home/shared", "bitbucket/install", "haproxy", "etc", "state"} {
		_ = filepath.WalkDir(filepath.Join(m.Dir, top), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() && (d.Name() == "data" || d.Name() == "log") {
				return fs.SkipDir
			}
			info, err := d.Info()
			if err != nil {
				m.t.Fatal(err)
			}
			k := kept{mode: info.Mode()}
			if info.Mode().IsRegular() {
				data, err := os.ReadFile(path)
				if err != nil {
					m.t.Fatal(err)
				}
				k.data = string(data)
			}
			out[path] = k
			return nil
		})
	}
	return out
}

// back makes the machine what it was when the picture was taken.
func (p picture) back() {
	m := p.m
	m.t.Helper()
	m.stop()
	now := m.everything()
	for _, path := range slices.Backward(slices.Sorted(maps.Keys(now))) {
		if p.files[path] != now[path] && !now[path].mode.IsDir() {
			m.must(os.Remove(path))
		}
		if _, was := p.files[path]; !was && now[path].mode.IsDir() {
			m.must(os.Remove(path))
		}
	}
	for _, path := range slices.Sorted(maps.Keys(p.files)) {
		k := p.files[path]
		switch {
		case now[path] == k:
		case k.mode.IsDir():
			m.must(os.MkdirAll(path, k.mode.Perm()))
		default:
			m.must(os.WriteFile(path, []byte(k.data), k.mode.Perm()))
			m.must(os.Chmod(path, k.mode.Perm()))
		}
	}
	m.BB.FailNextStart(nil)
	if m.BB.BaseURL() != p.world.url || m.BB.ContextPath() != p.world.ctx || m.seen() != p.world.seen || m.BB.State() != "RUNNING" {
		m.BB.SetField("baseURL", p.world.url)
		m.must(m.restartBitbucket())
	}
	if diff := m.world().is(p.world); diff != "" {
		m.t.Fatalf("the machine could not be set back: %s", diff)
	}
}

func (m *machine) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

// unsettled says what a settled machine must not have: an open journal,
// temporary files, folders half made.
func (m *machine) unsettled() string {
	runs, err := journal.History(m.Probe.StateDir)
	if err != nil {
		return err.Error()
	}
	for _, r := range runs {
		if r.State == setup.RunOpen || r.State == setup.RunIncomplete {
			return "run " + r.ID + " is " + string(r.State)
		}
	}
	for path := range m.everything() {
		if name := filepath.Base(path); strings.HasPrefix(name, ".") {
			return path + " was left"
		}
	}
	return ""
}

// reboot starts Bitbucket anew from the files as they are, as the whole machine
// does, and gives an open journal the boot id of another life.
func (m *machine) reboot() {
	m.t.Helper()
	m.must(m.restartBitbucket())
	journals, _ := filepath.Glob(filepath.Join(m.Probe.StateDir, "runs", "2*", "journal.jsonl"))
	for _, path := range journals {
		text, err := os.ReadFile(path)
		m.must(err)
		m.must(os.WriteFile(path, bootLine.ReplaceAll(text, []byte(`"boot":"another"`)), 0o600))
	}
}

var bootLine = regexp.MustCompile(`"boot":"[^"]*"`)
