package h1_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// corpus returns the collected raw requests, if they are on this machine.
func corpus(t testing.TB) [][]byte {
	t.Helper()
	dir := os.Getenv("BITGATE_CORPUS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "corpus")
	}
	file, err := os.Open(filepath.Join(dir, "http", "cases.jsonl"))
	if err != nil {
		t.Logf("without the collected requests as seeds: %v", err)
		return nil
	}
	defer file.Close()
	var all [][]byte
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var c struct{ Steps [][]byte }
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		all = append(all, bytes.Join(c.Steps, nil))
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}
