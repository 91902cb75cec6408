package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// placeholders stand in printed commands for what a person puts there.
var placeholders = map[string]string{
	"COMMAND": "plan", "URL": "https://git.example.com", "HOST": "git.example.com", "ADDR": "127.0.0.1:443", "PORT": "443", "N": "1",
}

// typed are the arguments that a shell would give to bitgate for a printed command; ok
// is false where it is another program's.
func typed(command string) (args []string, ok bool) {
	word, quote := "", rune(0)
	var words []string
	for _, r := range command + " " {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word += string(r)
		case r == '\'' || r == '"':
			quote = r
		case r == ' ' || r == '\n':
			if word != "" {
				words = append(words, word)
			}
			word = ""
		default:
			word += string(r)
		}
	}
	if end := slices.IndexFunc(words, func(w string) bool { return strings.ContainsAny(w[:1], "|>&;<") }); end >= 0 {
		words = words[:end]
	}
	for len(words) > 0 && (words[0] == "sudo" || words[0] == "then:" || strings.Contains(words[0], "=") && !strings.HasPrefix(words[0], "-")) {
		words = words[1:]
	}
	if len(words) == 0 || words[0] != "bitgate" && words[0] != "./bitgate" || len(words) > 1 && words[1] == "ssh-ed25519" { // a line of allowed_signers
		return nil, false
	}
	for _, w := range words[1:] {
		w, _, _ = strings.Cut(strings.Trim(w, "[]"), "|") // bash|zsh|fish
		if with, is := placeholders[w]; is {
			w = with
		}
		if w != "..." && w != "" {
			args = append(args, w)
		}
	}
	return args, true
}

// parses reads the arguments as the program does, up to running.
func parses(args []string) error {
	root := newRoot(&process{Env: func(string) (string, bool) { return "", false }})
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	c, rest, err := root.Find(args)
	if err != nil {
		return err
	}
	c.InitDefaultHelpFlag()
	c.InitDefaultVersionFlag()
	if err := c.ParseFlags(rest); err != nil {
		return err
	}
	if help, _ := c.Flags().GetBool("help"); help {
		return nil
	}
	return c.ValidateArgs(c.Flags().Args())
}

var inDocs = regexp.MustCompile("(?m)^    (\\S.*?)(?:  +#.*| # .*)?$|`([^`\n]+)`")

// TestPrintedCommandsParse: every command that the documents and the examples of help
// print is one, with its flags, their values and its arguments.
func TestPrintedCommandsParse(t *testing.T) {
	commandsSeen := 0
	try := func(where, command string) {
		if args, is := typed(command); is {
			commandsSeen++
			if err := parses(args); err != nil {
				t.Errorf("%s prints %q: %v", where, command, err)
			}
		}
	}
	docs, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(docs, "../../README.md", "../../CONTRIBUTING.md", "../../CHANGELOG.md") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range inDocs.FindAllStringSubmatch(string(text), -1) {
			try(file, m[1]+m[2])
		}
	}
	for path, c := range commands(newRoot(&process{})) {
		for line := range strings.SplitSeq(c.Example, "\n") {
			command, _, _ := strings.Cut(strings.TrimSpace(line), "   ") // what it is for follows
			try("the help of "+path, command)
		}
	}
	if commandsSeen < 60 {
		t.Errorf("only %d commands were seen", commandsSeen)
	}
}

// inProse is a command in a sentence, with the flags that follow it at once.
var inProse = regexp.MustCompile(`(?:^|[^\w/.-])bitgate ((?:[a-z]+ )*[a-z]+)((?: --[a-z][a-z-]*(?:[= ](?:[A-Z]+\b|[^\s-][^\s;,)]*))?)*)`)

// ranBy are the commands that errors, findings and results name, with the test that
// runs each as it is printed and sees its effect: "follow" is a line of the script
// remedies, others are tests by name.
var ranBy = map[string]string{
	"apply":                            "follow",
	"apply --answers":                  "follow",
	"apply --url --cert --key":         "TestExamples",
	"apply --yes":                      "follow",
	"cert bundle --cert":               "follow",
	"cert bundle --cert --chain --key": "TestExamples",
	"cert bundle --cert --fetch-chain": "TestFetchChain",
	"cert deploy":                      "follow",
	"cert deploy --force":              "follow",
	"cert dev":                         "TestExamples",
	"cert dev --dir":                   "TestExamples",
	"cert import":                      "TestExamples",
	"cert inspect":                     "TestExamples",
	"cert inspect --cert":              "TestExamples",
	"cert inspect --cert --key --host": "TestExamples",
	"cert inspect --pem":               "follow",
	"cert renew":                       "TestRenewalTimer",
	"cert renew --dry-run":             "TestExamples",
	"cert renew --force":               "follow",
	"cert request --host":              "follow",
	"cert request --host --subject":    "TestExamples",
	"cert status":                      "TestExamples",
	"cert status --metrics":            "TestExamples",
	"cert trust":                       "TestExamples",
	"demo":                             "TestDemo",
	"demo --yes":                       "TestDemo",
	"demo --yes --front":               "TestDemo",
	"history":                          "follow",
	"man":                              "TestExamples",
	"man --dir":                        "TestExamples",
	"plan":                             "follow",
	"plan --answers":                   "TestExamples",
	"plan --url --cert --key":          "TestExamples",
	"proxy":                            "TestExamples",
	"proxy --config":                   "follow",
	"proxy --help":                     "TestHelp",
	"proxy --url --upstream --pem":     "TestExamples",
	"recover":                          "follow",
	"recover --forward":                "follow",
	"rehearse --haproxy-cfg --candidate --url": "TestExamples",
	"rehearse --proxy-config":                  "TestExamples",
	"rehearse --url":                           "TestExamples",
	"render":                                   "TestExamples",
	"render --remove":                          "TestExamples",
	"render --url --pem":                       "TestExamples",
	"report --file":                            "TestExamples",
	"apply --answers --yes":                    "TestExamples",
	"report":                                   "TestExamples",
	"setup":                                    "TestWizardOpens",
	"setup --answers":                          "TestEachDoorGivesTheSamePlan",
	"setup --help":                             "follow",
	"setup --pem":                              "TestSetupAsPrinted",
	"setup --plain":                            "follow",
	"setup --skip":                             "TestSetupAsPrinted",
	"undo":                                     "follow",
	"verify":                                   "follow",
	"verify --url --connect":                   "TestExamples",
	"verify --url --repo":                      "TestExamples",
}

// TestCommandsInTexts: a command that an error, a finding or a result names exists, has
// the flags that stand behind it, and is run by a test.
func TestCommandsInTexts(t *testing.T) {
	script, err := os.ReadFile("testdata/script/remedies.txtar")
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]token.Position{}
	seen := 0
	literals(t, func(at token.Position, text string) {
		for _, m := range inProse.FindAllStringSubmatch(text, -1) {
			c, _, err := newRoot(&process{}).Find(strings.Fields(m[1]))
			if err != nil || !c.HasParent() {
				continue // "bitgate reads it": a sentence about the program
			}
			seen++
			key := strings.TrimPrefix(c.CommandPath(), "bitgate ")
			for _, flag := range regexp.MustCompile(` --([a-z][a-z-]*)`).FindAllStringSubmatch(m[2], -1) {
				if !hasFlag(c, flag[1]) {
					t.Errorf("%s: %q: %s has no --%s", at, m[0], c.CommandPath(), flag[1])
				}
				key += " --" + flag[1]
			}
			named[key] = at
		}
	})
	if seen < 100 {
		t.Errorf("only %d commands were seen", seen)
	}
	tests := testNames(t)
	for key, at := range named {
		switch by := ranBy[key]; {
		case by == "":
			t.Errorf("%s prints bitgate %s, and no test is said to run it", at, key)
		case by == "follow":
			line := "(?m)^follow .*bitgate " + strings.ReplaceAll(key, " --", ".* --")
			if !regexp.MustCompile(line).Match(script) {
				t.Errorf("bitgate %s is not followed in the script remedies", key)
			}
		case !tests[by]:
			t.Errorf("bitgate %s is said to be run by %s, which is no test", key, by)
		}
	}
	for key := range ranBy {
		if _, is := named[key]; !is {
			t.Errorf("nothing prints bitgate %s any longer", key)
		}
	}
}

// testNames are those of the tests of the whole module.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	err := filepath.WalkDir("../..", func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, "_test.go") {
			return err
		}
		text, err := os.ReadFile(name)
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllSubmatch(text, -1) {
			out[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func hasFlag(c *cobra.Command, name string) bool {
	return name == "help" || c.Flags().Lookup(name) != nil || c.InheritedFlags().Lookup(name) != nil
}

// literals visits the texts of the program's sources.
func literals(t *testing.T, visit func(token.Position, string)) {
	t.Helper()
	err := filepath.WalkDir("../..", func(name string, d os.DirEntry, err error) error {
		base := filepath.Base(name)
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{"bench", "tools", "torture", "e2e", "peers", ".git", "testdata"}, base):
			return filepath.SkipDir
		case filepath.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		set := token.NewFileSet()
		tree, err := parser.ParseFile(set, name, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			if lit, is := n.(*ast.BasicLit); is && lit.Kind == token.STRING {
				text, _ := strconv.Unquote(lit.Value)
				visit(set.Position(lit.Pos()), text)
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
