package tomcat

import (
	"fmt"
	"strconv"
	"strings"

	"bitgate/internal/problem"
)

// CheckScriptsCfg compares conf/scripts.cfg of Stash 3.x and Bitbucket 4.x
// (stash_httpport, bitbucket_httpport, bitbucket_context) with the connector's
// port (0: not compared) and the context path ("" for the root). The start
// scripts print their address from it; Tomcat itself does not read it.
func CheckScriptsCfg(file string, data []byte, port int, path string) []problem.Finding {
	var list []problem.Finding
	add := func(line int, key, value, want string) {
		list = append(list, finding(
			line, fmt.Sprintf("it says %s=%s, server.xml says %s", key, value, want),
			"the start scripts print a wrong address; Bitbucket itself is not affected", fmt.Sprintf("set %s=%s there", key, want),
		))
	}
	line := 0
	for text := range strings.Lines(string(data)) {
		line++
		key, value, ok := strings.Cut(strings.TrimSpace(text), "=")
		key, value = strings.TrimSpace(key), strings.Trim(strings.TrimSpace(value), `"'`)
		switch {
		case !ok || strings.HasPrefix(key, "#") || strings.HasPrefix(key, ";"):
		case strings.HasSuffix(key, "_httpport") && port != 0 && value != strconv.Itoa(port):
			add(line, key, value, strconv.Itoa(port))
		case strings.HasSuffix(key, "_context") && strings.Trim(value, "/") != strings.Trim(path, "/"):
			add(line, key, value, "/"+strings.Trim(path, "/"))
		}
	}
	return in(file, list)
}
