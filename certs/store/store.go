package store

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/net/idna"

	"bitgate/internal/atomicfile"
	"bitgate/internal/problem"
	"bitgate/internal/trusted"
)

// Store is ready as a literal; StateDir is the state folder. Nothing is made before
// something is written.
type Store struct {
	StateDir string
	Writer   atomicfile.Writer // its Fault is for tests
}

// format is the version of the JSON files.
const format = 1

// maxFile is more than any file of the store has, in bytes.
const maxFile = 1 << 20

func (s Store) path(elem ...string) string {
	return filepath.Join(append([]string{s.StateDir, "certificates"}, elem...)...)
}

// read returns a file's bytes, nil where it does not exist. Nobody but trusted users
// can have written it.
func (s Store) read(elem ...string) ([]byte, error) {
	data, err := trusted.ReadFile("the state folder's store of certificates", s.path(elem...), maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

// write replaces a file or makes it, with the folders on its way.
func (s Store) write(data []byte, elem ...string) error {
	path := s.path(elem...)
	if err := s.folder(filepath.Dir(path)); err != nil {
		return err
	}
	if _, err := s.Writer.SweepOlder(path, time.Hour); err != nil { // not everybody who writes here has the lock
		return err
	}
	old, err := atomicfile.Read(path)
	if err != nil {
		return err
	}
	defer clear(old.Data)
	return s.Writer.Private(old, data, 0o600, -1)
}

// folder makes a folder below the state folder and judges all that is there.
func (s Store) folder(dir string) error {
	if err := trusted.Folder("the state folder's store of certificates", dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return problem.Wrap(err, "the store of certificates cannot be made", "keys and certificates are kept there", "check the state folder's space and mount")
	}
	return nil
}

// readJSON fills v and reports whether the file was there.
func (s Store) readJSON(v any, elem ...string) (bool, error) {
	data, err := s.read(elem...)
	if data == nil || err != nil {
		return false, err
	}
	var head struct {
		Format int `json:"format"`
	}
	path := s.path(elem...)
	if err := json.Unmarshal(data, &head); err != nil {
		return false, problem.Wrap(err, path+" cannot be read", "it says what was done with the certificate", "move it away; what it says is found out anew")
	}
	if head.Format != format {
		return false, problem.New(path+" was written by another version of bitgate", "what it says is not known to this one", "use that version, or move the file away")
	}
	if err := json.Unmarshal(data, v); err != nil {
		return false, problem.Wrap(err, path+" cannot be read", "it says what was done with the certificate", "move it away; what it says is found out anew")
	}
	return true, nil
}

func (s Store) writeJSON(v any, elem ...string) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return s.write(append(data, '\n'), elem...)
}

// list names the files and folders in one folder; none where it does not exist.
func (s Store) list(elem ...string) ([]string, error) {
	dir := s.path(elem...)
	if err := trusted.Folder("the store of certificates", dir); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var out []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			out = append(out, e.Name())
		}
	}
	return out, err
}

// fileName is host as one element of a path, the same however it is spelled: "*" and ":"
// stand in names and addresses.
func fileName(host string) (string, error) {
	name := strings.Trim(strings.TrimSuffix(strings.ToLower(host), "."), "[]")
	plain := strings.TrimPrefix(name, "*.")
	if ip, err := netip.ParseAddr(name); err == nil {
		name = ip.String()
	} else if ascii, err := idna.Lookup.ToASCII(plain); err == nil {
		name = strings.TrimSuffix(name, plain) + ascii
	}
	name = strings.NewReplacer("*", "_", ":", "-").Replace(name)
	if name == "" || strings.HasPrefix(name, ".") || strings.ContainsAny(name, "/\\\x00") {
		return "", problem.New("no certificate is kept for the name "+problem.ShellWord(host), "it is no host name", "")
	}
	return name, nil
}
