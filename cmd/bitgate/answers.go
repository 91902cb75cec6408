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
	"bitgate/internal/trusted"
	"bitgate/interview"
	"bitgate/setup"
)

// readAnswers reads an answers file strictly and adds it to a and src: every
// unknown key and every wrong value is an error with its line, all at once.
// Relative paths start at the file's folder.
func readAnswers(file string, a *setup.Answers, src setup.Sources) error {
	data, err := readTrusted("the answers file", file)
	if err != nil {
		return err
	}
	return parseAnswers(file, data, a, src)
}

func parseAnswers(file string, data []byte, a *setup.Answers, src setup.Sources) error {
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return usage(fmt.Sprintf("%s: %s", file, strings.TrimPrefix(err.Error(), "yaml: ")), "")
	}
	if len(doc.Content) == 0 {
		return nil
	}
	top := doc.Content[0]
	if top.Kind != yaml.MappingNode {
		return usage(fmt.Sprintf("%s, line %d: answers are written as key: value", file, top.Line), "")
	}
	var bad []error
	for i := 0; i+1 < len(top.Content); i += 2 {
		key, value := top.Content[i], top.Content[i+1]
		if err := readAnswer(filepath.Dir(file), key.Value, value, a, src); err != nil {
			bad = append(bad, usage(fmt.Sprintf("%s, line %d: %v", file, key.Line, err), "the keys are the flags' names, see bitgate setup --help"))
			continue
		}
		src[key.Value] = setup.Source{From: setup.FromFile, Why: fmt.Sprintf("%s, line %d", file, key.Line)}
	}
	return errors.Join(bad...)
}

func readAnswer(dir, key string, value *yaml.Node, a *setup.Answers, src setup.Sources) error {
	q, known := interview.Find(key)
	switch {
	case !known || q.Virtual:
		return fmt.Errorf("%q is not an answer", key)
	case src[key].From == setup.FromFile:
		return fmt.Errorf("%s is given twice", key)
	}
	text, err := nodeText(q, value)
	if err == nil {
		err = q.Set(a, absolute(q, dir, text))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	return nil
}

// nodeText is a YAML value as the text a person would type.
func nodeText(q interview.Question, n *yaml.Node) (string, error) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch {
	case n.Kind == yaml.ScalarNode && n.Tag == "!!null":
		return "", nil
	case n.Kind == yaml.ScalarNode && q.Kind == interview.Confirm:
		var yes bool
		if n.Decode(&yes) == nil {
			return map[bool]string{true: "yes", false: "no"}[yes], nil
		}
		return n.Value, nil
	case n.Kind == yaml.ScalarNode:
		return n.Value, nil
	case n.Kind == yaml.SequenceNode && q.Kind == interview.List:
		var all []string
		err := n.Decode(&all)
		return q.Join(all), err
	}
	return "", errors.New("a single value is needed here")
}

// absolute makes a path independent of the directory bitgate runs in: plans and
// kept answers are used from elsewhere.
func absolute(q interview.Question, dir, text string) string {
	if q.Kind != interview.Path || text == "" || text == "-" || filepath.IsAbs(text) {
		return text
	}
	path, err := filepath.Abs(filepath.Join(dir, text))
	if err != nil {
		return text
	}
	return path
}

// maxInput is more than any plan or answers file has, in bytes.
const maxInput = 64 << 20

// readTrusted reads a file that decides what is done: nobody but root and the
// user may be able to write it.
func readTrusted(what, file string) ([]byte, error) {
	data, err := trusted.ReadFile(what, file, maxInput)
	var told *problem.Error
	if err != nil && !errors.As(err, &told) {
		err = problem.Wrap(err, what+" cannot be read", "", "").WithKind(problem.Usage)
	}
	return data, err
}

// writeAnswers keeps what somebody said for the next run, readable by its owner
// only. What was detected is left out and detected again, so that an upgrade of
// Bitbucket does not meet a stale answer.
func writeAnswers(file string, a setup.Answers) error {
	text, err := answersText(a, "# Repeat the run: bitgate apply --answers "+file+"\n")
	if err != nil {
		return err
	}
	return writePrivate(file, text)
}

// answersText is an answers file with a comment of its own at the top.
func answersText(a setup.Answers, comment string) ([]byte, error) {
	if a.AdminPasswordFile == "-" {
		a.AdminPasswordFile = "" // nobody stands at the other end of the pipe next time
	}
	if a.CertPasswordFile == "-" {
		a.CertPasswordFile = ""
	}
	var text bytes.Buffer
	text.WriteString("# Answers for bitgate. The keys are the names of its flags; there is no secret in here.\n" + comment)
	e := yaml.NewEncoder(&text)
	e.SetIndent(2)
	err := errors.Join(e.Encode(a), e.Close())
	return text.Bytes(), err
}

// writePrivate replaces or creates a file that only its owner, the current user,
// can read and write, whatever lay there before.
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
	if !old.Absent && old.Mode == 0o600 && old.UID == os.Geteuid() && slices.Equal(old.Data, data) {
		return nil
	}
	return atomicfile.Writer{}.Private(old, data, 0o600, -1)
}
