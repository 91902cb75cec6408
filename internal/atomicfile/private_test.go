package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"bitgate/internal/problem"
)

// TestPrivateIsPrivateWhateverLayThere: a key that replaces a readable file must
// not be readable like it.
func TestPrivateIsPrivateWhateverLayThere(t *testing.T) {
	for _, mode := range []fs.FileMode{0, 0o600, 0o644, 0o666, 0o777, 0o640, 0o400} {
		path := filepath.Join(t.TempDir(), "key.pem")
		if mode != 0 {
			if err := errors.Join(os.WriteFile(path, []byte("old"), 0o600), os.Chmod(path, mode)); err != nil {
				t.Fatal(err)
			}
		}
		old, err := Read(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := (Writer{}).Private(old, []byte("secret"), 0o600, -1); err != nil {
			t.Fatal(err)
		}
		now, err := Read(path)
		if err != nil || now.Mode != 0o600 || now.UID != os.Geteuid() || string(now.Data) != "secret" {
			t.Errorf("over mode %v: %v, mode %v, uid %d, %q", mode, err, now.Mode, now.UID, now.Data)
		}
	}
}

func TestPrivateOverAnothersFile(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to give a file away")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "key.pem")
	if err := errors.Join(os.Chmod(dir, 0o777|fs.ModeSticky), os.WriteFile(path, []byte("mine"), 0o666), os.Chmod(path, 0o666), os.Chown(path, 65534, 65534)); err != nil {
		t.Fatal(err)
	}
	old, err := Read(path)
	if err == nil {
		err = Writer{}.Private(old, []byte("secret"), 0o600, -1)
	}
	var told *problem.Error
	if !errors.As(err, &told) || told.Do == "" {
		t.Errorf("got %v", err)
	}
	if data, _ := os.ReadFile(path); string(data) != "mine" {
		t.Errorf("now it has %q", data)
	}
}
