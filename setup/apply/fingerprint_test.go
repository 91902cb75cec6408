package apply_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"bitgate/certs"
	"bitgate/internal/atomicfile"
	"bitgate/tomcat"
)

// fingerprint is what must be the same after undo: bytes, mode and owner of
// every file, and which folders exist.
func (m *machine) fingerprint() map[string]string {
	m.t.Helper()
	out := map[string]string{}
	for _, top := range []string{"bitbucket/home/shared", "bitbucket/install", "haproxy", "etc", "tls"} {
		err := filepath.WalkDir(filepath.Join(m.Dir, top), func(path string, d fs.DirEntry, err error) error {
			if os.IsNotExist(err) {
				return nil
			}
			if err != nil {
				return err
			}
			if d.IsDir() && (d.Name() == "data" || d.Name() == "log") {
				return fs.SkipDir
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			st := info.Sys().(*syscall.Stat_t)
			line := fmt.Sprintf("%v %d:%d", info.Mode(), st.Uid, st.Gid)
			if info.Mode().IsRegular() {
				data, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				line += " " + m.content(path, data)
			}
			out[path] = line
			return nil
		})
		if err != nil {
			m.t.Fatal(err)
		}
	}
	return out
}

// content tells files apart by their bytes, and those with a secret that is made anew in
// each run by all else: a key store by what it holds, under the password that the
// configuration says.
func (m *machine) content(path string, data []byte) string {
	if _, password, ok := tomcat.KeyStore(path, data, 0); ok && password != "" {
		data = bytes.ReplaceAll(data, []byte(password), []byte("PASSWORD"))
	}
	if filepath.Ext(path) == ".p12" {
		own, err := certs.Load(certs.Paths{Cert: m.Probe.Input.Cert, Key: m.Probe.Input.Key})
		if err != nil {
			m.t.Fatal(err)
		}
		config := filepath.Join(filepath.Dir(path), "server.xml")
		if file, err := os.ReadFile(config); err != nil || len(file) == 0 {
			config = filepath.Join(filepath.Dir(path), "bitbucket.properties")
		}
		file, err := os.ReadFile(config)
		if err != nil {
			m.t.Fatal(err)
		}
		if _, password, ok := tomcat.KeyStore(config, file, 0); ok && own.InPKCS12(data, password) {
			return "the certificate"
		}
	}
	return atomicfile.Digest(data)
}

func (m *machine) same(before map[string]string) {
	m.t.Helper()
	for _, line := range differences(before, m.fingerprint()) {
		m.t.Error(line)
	}
}

func differences(before, after map[string]string) (out []string) {
	for path, want := range before {
		if after[path] != want {
			out = append(out, fmt.Sprintf("%s: %q, was %q", path, after[path], want))
		}
	}
	for path := range after {
		if _, ok := before[path]; !ok {
			out = append(out, path+" was left")
		}
	}
	return out
}

func (m *machine) append(name, text string) {
	m.t.Helper()
	f, err := os.OpenFile(filepath.Join(m.Dir, name), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		m.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		m.t.Fatal(err)
	}
}
