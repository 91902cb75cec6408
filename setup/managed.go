package setup

import (
	"bytes"

	"bitgate/internal/pattern"
	"bitgate/internal/problem"
)

// managedBy are the words by which configuration management marks its files, near
// their beginning; the last is the Data Plane API's.
var managedBy = pattern.Lazy(`(?i)\b` + aTool + `\b.{0,40}\b(?:managed|generated|controlled|maintained|overwrites?)\b` +
	`|\b` + made + `(?: automatically)? (?:by|with|from|through|using|via|in) (?:the )?` + aTool + `\b` +
	`|\bunder (?:the )?(?:control|management) of (?:the )?` + aTool + `\b|\bunder ` + aTool + `(?:['’]s)? (?:control|management)\b` +
	`|\b` + aTool + `\b.{0,40}` + noEdit + `|` + noEdit + `.{0,60}\b` + aTool + `\b` +
	`|\b(salt|puppet)://|^#\s*_(?:md5hash|version)\s*=`)

const (
	aTool  = `(ansible|puppet|chef|salt(?:stack)?|cfengine|terraform|opentofu|rudder|pyinfra|consul-template|confd|roxy-wi|haproxy-wi|(?:data ?plane ?api))`
	made   = `(?:managed|controlled|maintained|(?:auto-?)?generated|created|written|rendered|deployed|provisioned|installed|configured|templated)`
	noEdit = `\b(?:do not|don['’]?t|never) (?:edit|modify|change|touch)\b`
)

// generated are the words of tools that do not say who they are.
var generated = pattern.Lazy(`(?i)\bauto(?:matically)?[ -]?generated\b|\bgenerated automatically\b|\b(?:changes|modifications|edits) .{0,40}\b(?:lost|overwritten|overridden)\b`)

// managedLines is how many lines of a file are looked at.
const managedLines = 30

// manager says which tool's mark a file carries, and on which line. A mark is a comment.
func manager(data []byte) (tool string, line int) {
	unnamed, number, xml := 0, 0, false
	for text := range bytes.Lines(data) {
		if number++; number > managedLines {
			break
		}
		xml = xml || bytes.Contains(text, []byte("<!--"))
		comment := xml || bytes.ContainsAny(text, "#;!")
		xml = xml && !bytes.Contains(text, []byte("-->"))
		if !comment {
			continue
		}
		if m := managedBy().FindSubmatch(text); m != nil {
			if tool = string(bytes.Join(m[1:], nil)); tool == "" {
				tool = "the Data Plane API"
			}
			return tool, number
		}
		if unnamed == 0 && generated().Match(text) {
			unnamed = number
		}
	}
	if unnamed > 0 {
		return "a program that does not name itself", unnamed
	}
	return "", 0
}

// managedNotes tell of files that somebody else writes: the plan's lines last until then.
func (b *builder) managedNotes() {
	files := b.f.files()
	for _, path := range b.plan.EditedPaths() {
		tool, line := manager(files[path].Data)
		if tool == "" {
			continue
		}
		b.plan.Notes = append(b.plan.Notes, problem.Finding{
			ID: "managed", Level: problem.Warn, Found: "it is managed by " + tool, File: path, Line: line,
			Why: "its next run takes out what bitgate adds, and the front or Bitbucket works with the old settings again",
			Do:  "put the lines of this plan into its template too; bitgate render prints them",
		})
	}
}
