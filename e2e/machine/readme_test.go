package machine

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"bitgate/certs"
)

// printed finds what README prints to be typed: indented lines, and words between back
// quotes that begin with a program.
var printed = regexp.MustCompile("(?m)^    (\\S.*?)(?: +#.*)?$|`((?:sudo|tar|go|git|bitgate|\\./test)(?: [^`]+)?)`")

// elsewhere are those that another test runs, or nobody can here.
var elsewhere = map[string]string{
	"sudo dnf install ./bitgate-*.x86_64.rpm":                                            "no Red Hat here",
	"sudo zypper install --allow-unsigned-rpm ./bitgate-*.x86_64.rpm":                    "no SUSE here",
	"go build -o bitgate ./cmd/bitgate && sudo install -m 755 -t /usr/local/bin bitgate": "peers.BuildBitgate",
	"bitgate demo":              "TestDemo of cmd/bitgate",
	"sudo bitgate":              "TestWalk... of e2e, at a terminal",
	"bitgate COMMAND --help":    "TestHelp of cmd/bitgate",
	"go run ./cmd/bitgate demo": "TestDemo of cmd/bitgate",
	"./test":                    "this",
	"git remote set-url origin https://git.example.com/scm/PROJECT/REPOSITORY.git": "git's own",
}

const readmeAnswers = `url: https://git.example.com
front: builtin
cert: /root/get/fullchain.pem
key: /root/get/privkey.pem
ca-file: /root/get/ca.pem
skip: base-url
restart-timeout: 2m
`

// readme runs every command that README prints, as it prints it, where files has what
// a release is made of.
func (s site) readme(files string) {
	t := s.t
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	missing := map[string]bool{}
	for _, m := range printed.FindAllStringSubmatch(string(text), -1) {
		command := strings.TrimSpace(m[1] + m[2])
		if elsewhere[command] == "" {
			missing[command] = true
		}
	}
	found, err := filepath.Glob(filepath.Join(files, "bitgate_*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range found {
		s.Copy(t, file, "/root/get/"+filepath.Base(file))
	}
	s.workbench()
	for _, step := range []struct{ command, before, says string }{
		{"tar -xzf bitgate_*_linux_amd64.tar.gz && sudo install -m 755 -t /usr/local/bin bitgate", "", ""},
		{"sudo apt install ./bitgate_*_amd64.deb", "rm /usr/local/bin/bitgate; ", ""},
		{"sudo bitgate plan --url https://git.example.com --cert fullchain.pem --key privkey.pem", "", "https://git.example.com"},
		{"sudo bitgate apply --answers answers.yaml --yes", "", "Back:"},
		{"sudo bitgate verify", "", "x   Base URL:"}, // these answers leave it as it is, and verify sees that
		{"sudo bitgate report", "", "Written: "},
		{"sudo bitgate history", "", "committed"},
		{"sudo bitgate apply --answers /var/lib/bitgate/answers.yaml --yes", "", "Nothing to do"},
		{"sudo bitgate undo", "echo undo | ", "taken back"},
		{"sudo bitgate recover", "", "Nothing to do"},
	} {
		if !missing[step.command] {
			t.Errorf("README does not print %q any longer", step.command)
		}
		delete(missing, step.command)
		line := step.command
		if strings.HasSuffix(step.before, "| ") { // at a terminal
			line = "script -qec '" + line + "' /dev/null"
		}
		out, err := s.Try("timeout", "60", "bash", "-c", "cd /root/get; "+step.before+line)
		mayFail := step.command == "sudo bitgate verify" // it finds fault
		if err != nil && !mayFail || !strings.Contains(out, step.says) {
			t.Errorf("%s: %v\n%s", step.command, err, out)
		}
	}
	for _, command := range slices.Sorted(maps.Keys(missing)) {
		t.Errorf("README prints %q, and no test runs it", command)
	}
}

// workbench is a folder with what the documents' commands name, on a machine whose
// public name is theirs.
func (s site) workbench() {
	t := s.t
	t.Helper()
	ca, cert, key, err := certs.Dev([]string{"git.example.com"}, 90, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	s.Write(t, "/root/get/ca.pem", ca, 0o644)
	s.Write(t, "/root/get/fullchain.pem", append(cert, ca...), 0o644)
	s.Write(t, "/root/get/privkey.pem", key, 0o600)
	s.Write(t, "/root/get/answers.yaml", []byte(readmeAnswers), 0o600)
	s.Write(t, "/usr/local/bin/sudo", []byte("#!/bin/sh\nexec \"$@\"\n"), 0o755)
	s.Run(t, "sh", "-c", "echo 127.0.0.1 git.example.com >>/etc/hosts")
}
