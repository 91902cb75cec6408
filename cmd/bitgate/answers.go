package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"bitgate/internal/atomicfile"
	"bitgate/internal/problem"
	"bitgate/setup"
	"bitgate/wizard"
)

// readAnswers reads an answers file strictly: an unknown key or a wrong value
// is an error with its line. It adds to a and src.
func readAnswers(file string, a *setup.Answers, src setup.Sources) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return problem.Wrap(err, "the answers file cannot be read", "", "").WithKind(problem.Usage)
	}
	lines, err := keyLines(file, data)
	if err != nil {
		return err
	}
	var said setup.Answers
	d := yaml.NewDecoder(bytes.NewReader(data))
	d.KnownFields(true)
	if err := d.Decode(&said); err != nil && len(lines) > 0 {
		return usage(fmt.Sprintf("%s: %v", file, yamlText(err)), "")
	}
	for _, q := range wizard.Questions() {
		line, given := lines[q.ID]
		if !given || q.Virtual {
			continue
		}
		if err := q.Set(a, q.Get(said)); err != nil {
			return usage(fmt.Sprintf("%s, line %d: %s: %v", file, line, q.ID, err), "")
		}
		src[q.ID] = setup.Source{From: setup.FromFile, Why: fmt.Sprintf("%s, line %d", file, line)}
	}
	return nil
}

// keyLines returns the line of each key and names every unknown one at once.
func keyLines(file string, data []byte) (map[string]int, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, usage(fmt.Sprintf("%s: %v", file, yamlText(err)), "")
	}
	lines := map[string]int{}
	if len(doc.Content) == 0 {
		return lines, nil
	}
	top := doc.Content[0]
	if top.Kind != yaml.MappingNode {
		return nil, usage(fmt.Sprintf("%s, line %d: answers are written as key: value", file, top.Line), "")
	}
	var bad []error
	for i := 0; i+1 < len(top.Content); i += 2 {
		key := top.Content[i]
		if q, known := wizard.Find(key.Value); !known || q.Virtual {
			bad = append(bad, usage(fmt.Sprintf("%s, line %d: %q is not an answer", file, key.Line, key.Value), "the keys are the flags' names, see bitgate setup --help"))
		}
		lines[key.Value] = key.Line
	}
	return lines, errors.Join(bad...)
}

// yamlText drops the package's name from its messages.
func yamlText(err error) string {
	text := err.Error()
	for _, prefix := range []string{"yaml: unmarshal errors:\n  ", "yaml: "} {
		if rest, found := strings.CutPrefix(text, prefix); found {
			return rest
		}
	}
	return text
}

// writeAnswers keeps what somebody said for the next run, readable by its owner
// only. What was detected is left out and detected again, so that an upgrade of
// Bitbucket does not meet a stale answer.
func writeAnswers(file string, a setup.Answers) error {
	if a.AdminPasswordFile == "-" {
		a.AdminPasswordFile = "" // nobody stands at the other end of the pipe next time
	}
	var text bytes.Buffer
	text.WriteString("# Answers for bitgate. The keys are the names of its flags; there is no secret in here.\n" +
		"# Repeat the run: bitgate apply --answers " + file + "\n")
	e := yaml.NewEncoder(&text)
	e.SetIndent(2)
	if err := errors.Join(e.Encode(a), e.Close()); err != nil {
		return err
	}
	return writePrivate(file, text.Bytes())
}

// writePrivate replaces or creates a file of mode 0600.
func writePrivate(file string, data []byte) error {
	file, err := filepath.Abs(file)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	old, err := atomicfile.Read(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var w atomicfile.Writer
	if old.Absent {
		return w.Create(file, data, 0o600, -1, -1)
	}
	if slices.Equal(old.Data, data) {
		return nil
	}
	return w.Replace(old, data)
}
