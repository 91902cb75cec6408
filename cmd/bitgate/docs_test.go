package main

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"bitgate/cmd/bitgate/view"
	"bitgate/internal/problem"
	"bitgate/interview"
	"bitgate/proxy/config"
	"bitgate/setup"
	"bitgate/setup/apply"
	"bitgate/setup/journal"
	"bitgate/setup/renew"
)

// TestDocs: the tables of docs are what the program has, not a copy of it (-update).
func TestDocs(t *testing.T) {
	for _, doc := range []struct{ file, section, text string }{
		{"answers.md", "answers", answersTable()},
		{"proxy.md", "settings", settingsTable()},
		{"automation.md", "exit-codes", exitTable()},
		{"automation.md", "json", jsonTables(t)},
	} {
		name := filepath.Join("../../docs", doc.file)
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		begin := "<!-- " + doc.section + ": begin (made by go test ./cmd/bitgate -run Docs -update) -->\n"
		end := "<!-- " + doc.section + ": end -->\n"
		before, rest, found := strings.Cut(string(data), begin)
		got, after, ended := strings.Cut(rest, end)
		switch {
		case !found || !ended:
			t.Errorf("%s has no place for:\n%s%s", doc.file, begin, end)
		case got == doc.text:
		case !*update:
			t.Errorf("%s in docs/%s is out of date: go test ./cmd/bitgate -run Docs -update", doc.section, doc.file)
		default:
			if err := os.WriteFile(name, []byte(before+begin+doc.text+end+after), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func answersTable() string {
	var b strings.Builder
	b.WriteString("| flag and key | what | default | asked |\n|---|---|---|---|\n")
	for _, q := range interview.Questions() {
		if q.Virtual {
			continue
		}
		flag := strings.TrimSpace("--" + q.ID + " " + strings.ReplaceAll(q.Arg, "|", `\|`))
		asked := q.Asked
		if asked == "" {
			asked = "no"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", flag, q.Help, q.Default, asked)
	}
	return b.String()
}

func settingsTable() string {
	var b strings.Builder
	b.WriteString("| key | what | default |\n|---|---|---|\n")
	for _, s := range config.Settings() {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", s.Keys, s.What, s.Default)
	}
	return b.String()
}

func exitTable() string {
	var b strings.Builder
	b.WriteString("| exit code | meaning |\n|---|---|\n")
	for _, e := range exitTexts {
		fmt.Fprintf(&b, "| %d | %s |\n", e.code, e.text)
	}
	return b.String()
}

// jsonShapes are the values that --json promises, with what each field means.
var jsonShapes = []struct {
	key, where string
	value      any
	fields     map[string]string
}{
	{"event", "`apply`, `undo`, `recover`", setup.Event{}, map[string]string{
		"at": "when", "kind": "`begin`, `start`, `progress`, `done`, `failed`, `undo`, `later`, `undone`, `log` or `committed`", "step": "step of the plan, `journal` or `check`",
		"title": "the change, for people", "change": "number of the change in the order of the run, -1 for none", "text": "run id of `begin`, a program's line of `log`, the reason of `failed`",
	}},
	{"finding", "`verify` (a list), `apply`", problem.Finding{}, map[string]string{
		"id": "name of the check", "level": "`ok`, `note`, `warn` or `fail`", "title": "what was looked at", "seen": "what was found", "why": "why it matters", "do": "what to do",
		"file": "where it was seen", "line": "from 1; left out where it is about the whole file",
	}},
	{"outlook", "`undo`, `recover`", apply.Outlook{}, map[string]string{
		"run": "id", "started": "when", "state": "as in `result`", "url": "public URL", "back": "true: it is taken back, false: it is finished",
		"changes": "of the whole run", "done": "of these, carried out and not taken back yet", "begun": "of these, begun only: nobody knows",
		"will": "what will be done", "notice": "what that cuts", "can-go-on": "`recover --forward` is possible instead",
		"sign-in": "an administrator's login is needed",
	}},
	{"result", "`apply`, `undo`, `recover`", struct {
		setup.Result
		view.End
	}{}, map[string]string{
		"run": "id", "state": "`nothing-to-do`, `committed`, `taken-back`, `undone`, `incomplete` or `open`", "changes": "how many", "changed": "the machine is not as it was before this command", "pending": "what is left for a person", "backups": "folder", "notes": "findings",
		"url": "public URL", "checks": "what the look from outside found, in a sentence", "then": "command, when what is pending has been done", "answers": "file", "again": "command that repeats the run", "back": "command that takes it back",
	}},
	{"error", "`apply`, `undo`, `recover`", view.Message{}, map[string]string{
		"found": "what was found", "why": "why it matters", "do": "what to do", "exit": "the exit code",
	}},
	{"", "`history` (a list)", journal.RunInfo{}, map[string]string{
		"id": "of the run", "kind": "`certificate` where the run only renewed one", "started": "when", "state": "as in `result`", "url": "public URL", "changes": "how many", "backups": "folder",
	}},
	{"", "`history RUN`", journal.Story{}, map[string]string{
		"id": "of the run", "kind": "`certificate` where the run only renewed one", "started": "when", "state": "as in `result`", "url": "public URL", "changes": "how many", "backups": "folder",
		"by": "who started it", "ended": "when it was settled", "reason": "why it was taken back, or what is left", "steps": "the changes in their order: `what`, `file`, `state` (`done`, `taken back`, `begun`, `not begun`), `at`",
		"undo": "id to name to `undo`, where there is something to take back", "then": "what the run went through: `at`, `what`",
	}},
	{"", "`cert renew`, `cert deploy`", renew.Outcome{}, map[string]string{
		"host": "of the certificate", "decision": "of an order: `act` (`wait`, `renew`), `at`, `why`", "result": "as of `apply`", "said": "what happened, in a line",
	}},
}

func jsonTables(t *testing.T) string {
	var b strings.Builder
	for _, s := range jsonShapes {
		name := "`" + s.key + "`"
		if s.key == "" {
			name = "a value"
		}
		fmt.Fprintf(&b, "| %s of %s | type | meaning |\n|---|---|---|\n", name, s.where)
		for f := range reflect.TypeOf(s.value).Fields() {
			if f.Anonymous {
				for f := range f.Type.Fields() {
					b.WriteString(jsonRow(t, s.key, f, s.fields))
				}
				continue
			}
			b.WriteString(jsonRow(t, s.key, f, s.fields))
		}
		b.WriteString("\n")
	}
	return b.String()
}

func jsonRow(t *testing.T, shape string, f reflect.StructField, meanings map[string]string) string {
	t.Helper()
	key, options, _ := strings.Cut(f.Tag.Get("json"), ",")
	if key == "-" {
		return ""
	}
	if meanings[key] == "" {
		t.Errorf("%s.%s: say what it means", shape, key)
	}
	maybe := ""
	if options == "omitempty" {
		maybe = "?"
	}
	return fmt.Sprintf("| `%s`%s | %s | %s |\n", key, maybe, jsonType(f.Type), meanings[key])
}

func jsonType(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return "time, RFC 3339"
	case t.Kind() == reflect.Slice:
		return "list of " + jsonType(t.Elem())
	case t.Kind() == reflect.Int:
		return "number"
	case t.Kind() == reflect.Bool:
		return "boolean"
	case t.Kind() == reflect.Struct:
		return strings.ToLower(t.Name())
	}
	return "text"
}
