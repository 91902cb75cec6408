package bitbucket

import (
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"

	"bitgate/internal/pattern"
	"bitgate/internal/unit"
)

// knownKeys are the properties bitgate edits or reasons about, in the spelling
// of bitbucket.properties.
var knownKeys = []string{
	"server.port", "server.address", "server.context-path", "server.scheme", "server.secure",
	"server.proxy-name", "server.proxy-port", "server.redirect-port", "server.require-ssl",
	"server.forward-headers-strategy", "server.ssl.enabled",
	"server.max-http-request-header-size", "server.max-http-header-size", "server.tomcat.max-http-request-header-size", "server.tomcat.max-http-header-size",
	"plugin.ssh.port", "plugin.ssh.baseurl", "plugin.ssh.address", "setup.baseUrl",
}

// findOverrides gathers what beats bitbucket.properties (Spring Boot's order:
// command line, SPRING_APPLICATION_JSON, -D, environment, then the file). The
// unit goes before the process: it is where a person changes the value.
func (in *Install) findOverrides(p *process, units []unit.Service) {
	if r, ok := parseRelease(in.Version); ok && r.before(5, 0) {
		return // a server.xml knows no such overrides
	}
	for _, u := range units {
		for _, v := range u.Env {
			in.addOverrides(fromVariable(v.Name, v.Value, v.Where+", "+v.Name))
		}
	}
	if p == nil {
		return
	}
	where := "command line of process " + strconv.Itoa(p.pid)
	for _, arg := range slices.Backward(p.args) { // Java takes the last of one name
		in.addOverrides(fromArgument(arg, where))
	}
	for _, e := range p.env {
		name, value, _ := strings.Cut(e, "=")
		if !isJavaOptions(name) || javaReads(name) { // those of the scripts are on the command line
			in.addOverrides(fromVariable(name, value, fmt.Sprintf("environment of process %d, %s", p.pid, name)))
		}
	}
}

// Effective is what the instance works with of what overrides its file, in Spring
// Boot's order: command line, SPRING_APPLICATION_JSON, -D, environment. Where unit and
// process differ the process is what runs.
func (in Install) Effective(key string) (Override, bool) {
	best, rank := Override{}, 2*ranks
	for _, o := range in.Overrides {
		r := 2 * o.rank()
		if !o.running() {
			r++
		}
		if o.Key == key && r < rank {
			best, rank = o, r
		}
	}
	return best, rank < 2*ranks
}

// Against are the overrides that keep key from a value that fits once Bitbucket was
// started anew, the strongest first: those that say another, down to one that fits and
// so beats the rest. What a unit says then counts in the place of what its process has.
func (in Install) Against(key string, fits func(value string) bool) []Override {
	var found []Override
	for rank := range ranks {
		o, ok := in.next(key, rank)
		if ok && fits(o.Value) {
			break
		}
		if ok {
			found = append(found, o)
		}
	}
	return found
}

// next is what is given for key at a rank after a restart.
func (in Install) next(key string, rank int) (found Override, ok bool) {
	for _, o := range in.Overrides {
		if o.Key == key && o.rank() == rank && (!ok || found.running() && !o.running()) {
			found, ok = o, true
		}
	}
	return found, ok
}

// running: the process has it, not the unit that starts it.
func (o Override) running() bool { return strings.Contains(o.Where, "process") }

// ranks is how many places there are, of which one beats the other.
const ranks = 6

func (o Override) rank() int {
	switch {
	case strings.Contains(o.Where, ", --"):
		return 0
	case strings.Contains(strings.ToLower(o.Where), "spring"):
		return 1
	case strings.Contains(o.Where, ", _JAVA_OPTIONS, "): // behind the command line
		return 2
	case strings.Contains(o.Where, ", JDK_JAVA_OPTIONS, "), strings.Contains(o.Where, ", JAVA_TOOL_OPTIONS, "): // before it
		return 4
	case strings.Contains(o.Where, ", -D"):
		return 3
	}
	return 5
}

// addOverrides leaves out what an earlier place of the same rank says in the same words.
func (in *Install) addOverrides(found []Override) {
	for _, o := range found {
		known := false
		for _, have := range in.Overrides {
			known = known || have.Key == o.Key && have.Value == o.Value && have.rank() == o.rank()
		}
		if !known {
			in.Overrides = append(in.Overrides, o)
		}
	}
}

// fromVariable reads one environment variable: a property in Spring's spelling,
// SPRING_APPLICATION_JSON, or Java options that hold -D.
func fromVariable(name, value, where string) []Override {
	if name == "SPRING_APPLICATION_JSON" {
		return fromJSON(value, where)
	}
	if isJavaOptions(name) {
		var found []Override
		for _, word := range slices.Backward(unit.Words(value)) {
			found = append(found, fromArgument(word, where)...)
		}
		return found
	}
	if key, ok := keyOfVariable(name); ok {
		return []Override{override(key, value, where)}
	}
	return nil
}

func isJavaOptions(name string) bool {
	switch name {
	case "JAVA_OPTS", "CATALINA_OPTS", "JVM_SUPPORT_RECOMMENDED_ARGS", "JVM_REQUIRED_ARGS":
		return true
	}
	return javaReads(name)
}

// javaReads are the variables that Java itself takes options from, which are not on
// its command line.
func javaReads(name string) bool {
	return name == "JAVA_TOOL_OPTIONS" || name == "JDK_JAVA_OPTIONS" || name == "_JAVA_OPTIONS"
}

// fromArgument reads -Dkey=value, -Dspring.application.json=... and --key=value.
func fromArgument(arg, where string) []Override {
	d, isProperty := strings.CutPrefix(arg, "-D")
	if !isProperty {
		var isOption bool
		if d, isOption = strings.CutPrefix(arg, "--"); !isOption {
			return nil
		}
	}
	name, value, _ := strings.Cut(d, "=")
	if name == "spring.application.json" {
		return fromJSON(value, where+", "+name)
	}
	if key, ok := keyOf(name); ok {
		return []Override{override(key, value, where+", "+strings.TrimSuffix(arg, "="+value))}
	}
	return nil
}

// fromJSON reads {"server":{"port":7990}} and {"server.port":7990}.
func fromJSON(text, where string) []Override {
	var tree map[string]any
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	if dec.Decode(&tree) != nil {
		return nil
	}
	flat := map[string]string{}
	flatten("", tree, flat)
	var found []Override
	for name, value := range flat {
		if key, ok := keyOf(name); ok {
			found = append(found, override(key, value, where))
		}
	}
	sort.Slice(found, func(i, j int) bool { return found[i].Key < found[j].Key })
	return found
}

func flatten(prefix string, v any, into map[string]string) {
	switch v := v.(type) {
	case map[string]any:
		for name, child := range v {
			flatten(strings.TrimPrefix(prefix+"."+name, "."), child, into)
		}
	case nil:
		into[prefix] = ""
	default:
		into[prefix] = fmt.Sprint(v)
	}
}

var (
	connectorVariable = pattern.Lazy(`^SERVER_(ADDITIONAL_CONNECTOR_(\d+)|SSL)_([A-Z0-9_]+)$`)
	secretKey         = pattern.Lazy(`(?i)(pass|secret|token|credential|license)`)
)

// keyOfVariable knows a property by its variable: dots and dashes become
// underscores (Atlassian's image) or dashes go away (Spring's own rule). A
// container's environment may hold the property's own name.
func keyOfVariable(name string) (string, bool) {
	underscores, dashless := strings.NewReplacer(".", "_", "-", "_"), strings.NewReplacer(".", "_", "-", "")
	name = underscores.Replace(strings.ToUpper(name))
	for _, key := range knownKeys {
		if upper := strings.ToUpper(key); name == underscores.Replace(upper) || name == dashless.Replace(upper) {
			return key, true
		}
	}
	m := connectorVariable().FindStringSubmatch(name)
	if m == nil {
		return "", false
	}
	rest := strings.ToLower(strings.ReplaceAll(m[3], "_", "-"))
	if m[2] == "" {
		return "server.ssl." + rest, true
	}
	return "server.additional-connector." + m[2] + "." + strings.Replace(rest, "ssl-", "ssl.", 1), true
}

// keyOf accepts Spring's relaxed spellings (server.proxyName, server.proxy_name)
// of the keys we know, and any other server.* or plugin.ssh.* key as it stands.
func keyOf(name string) (string, bool) {
	for _, key := range knownKeys {
		if relaxed(name) == relaxed(key) {
			return key, true
		}
	}
	if strings.HasPrefix(name, "server.") || strings.HasPrefix(name, "plugin.ssh.") {
		return name, true
	}
	return "", false
}

func relaxed(key string) string {
	return strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(key))
}

func override(key, value, where string) Override {
	if secretKey().MatchString(key) {
		value = ""
	}
	return Override{Key: key, Where: where, Value: value}
}
