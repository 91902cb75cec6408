package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"bitgate/internal/problem"
)

// maxSize of a configuration file, in bytes.
const maxSize = 1 << 20

const header = `# Configuration of "bitgate proxy". Unknown keys are refused. Durations ("90s",
# "15m", "1h") limit idleness, never the whole of a clone or push.
`

// Parse reads YAML strictly (unknown keys are errors with their line), fills
// defaults and validates. name is the file's, for errors.
func Parse(name string, data []byte) (Config, error) {
	var read struct {
		Config `yaml:",inline"`
		Engine string `yaml:"engine"`
	}
	if len(data) > maxSize {
		return Config{}, problem.New(name+" is larger than 1 MiB", "no configuration is", "name the proxy's own file").WithKind(problem.Usage)
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(&read); errors.Is(err, io.EOF) {
		return Config{}, problem.New(name+" is empty", "the proxy must know at least url, upstream and certificate",
			"write url:, upstream: and pem: into it").WithKind(problem.Usage)
	} else if err != nil {
		return Config{}, unreadable(name, err)
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return Config{}, problem.New(name+" holds more than one YAML document", "only the first would count", "remove the line --- and what follows").WithKind(problem.Usage)
	}
	c, where := read.WithDefaults(), lines(data)
	switch read.Engine {
	case "":
	case "auto", "eventloop", "goroutine":
		c.Obsolete = append(c.Obsolete, name+": "+where("engine")+"engine: "+read.Engine+" is without effect, for the proxy has one engine: remove it")
	default:
		return Config{}, problem.New(name+": "+where("engine")+strconv.Quote(read.Engine)+" is not an engine", "the key is without effect, for the proxy has one engine",
			"remove it").WithKind(problem.Usage)
	}
	if err := c.validate(where); err != nil {
		if p, is := errors.AsType[*problem.Error](err); is {
			p.Found = name + ": " + p.Found
		}
		return Config{}, err
	}
	return c, nil
}

// lines tells where a key of Validate stands in the file; for one that is not
// there, where the next outer one is, and for none of them nothing.
func lines(data []byte) func(key string) string {
	var document yaml.Node
	if err := yaml.Unmarshal(data, &document); err != nil || len(document.Content) == 0 {
		return func(string) string { return "" }
	}
	return func(key string) string {
		at, line := document.Content[0], 0
		for part := range strings.SplitSeq(key, ".") {
			var next *yaml.Node
			if i, err := strconv.Atoi(part); err == nil && at.Kind == yaml.SequenceNode && i < len(at.Content) {
				next = at.Content[i]
				line = next.Line
			}
			for i := 0; at.Kind == yaml.MappingNode && i+1 < len(at.Content); i += 2 {
				if at.Content[i].Value == part {
					next = at.Content[i+1]
					line = at.Content[i].Line
				}
			}
			if next == nil {
				break
			}
			at = next
		}
		if line == 0 {
			return ""
		}
		return fmt.Sprintf("line %d: ", line)
	}
}

// unreadable puts the library's words ("line 3: field foo not found in type
// config.Config") into those of a person who has never seen the type.
func unreadable(name string, err error) error {
	var mistakes []string
	if typed, is := errors.AsType[*yaml.TypeError](err); is {
		mistakes = typed.Errors
	} else {
		mistakes = []string{strings.TrimPrefix(err.Error(), "yaml: ")}
	}
	for i, m := range mistakes {
		if before, rest, ok := strings.Cut(m, ": field "); ok {
			if field, _, ok := strings.Cut(rest, " not found in type "); ok {
				m = fmt.Sprintf("%s: unknown key %q", before, field)
			}
		}
		mistakes[i] = strings.ReplaceAll(m, "time.Duration", `a duration such as "15m"`)
	}
	return problem.New(name+": "+strings.Join(mistakes, "; "), "a key that is not understood would be a setting without effect",
		"correct these lines").WithKind(problem.Usage)
}

// Marshal writes it with a short explaining comment on top; same input, same
// bytes. What is left out stays out, so that it follows the defaults.
func (c Config) Marshal() ([]byte, error) {
	c.MaxConn = cmp.Or(c.MaxConn, defaultMaxConn)
	var out bytes.Buffer
	out.WriteString(header)
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(c); err != nil {
		return nil, err
	}
	return out.Bytes(), enc.Close()
}

// OwnComment reports whether a line is of the comment that Marshal writes.
func OwnComment(line string) bool {
	return strings.HasPrefix(line, "#") && strings.Contains(header, line+"\n")
}
