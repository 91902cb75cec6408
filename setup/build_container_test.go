package setup

import (
	"strings"
	"testing"

	"bitgate/bitbucket"
	"bitgate/internal/problem"
	"bitgate/internal/publicurl"
)

// What a container would not see, or would lose, is refused with the settings to make
// instead. The way out leaves Bitbucket's own steps to a person.
func TestContainers(t *testing.T) {
	url, err := publicurl.Parse("https://git.example.com/bitbucket")
	if err != nil {
		t.Fatal(err)
	}
	const variables = "SERVER_CONTEXT_PATH=/bitbucket SERVER_PROXY_NAME=git.example.com SERVER_PROXY_PORT=443 SERVER_SCHEME=https SERVER_SECURE=true"
	for name, c := range map[string]struct {
		home, manager, version string
		local                  bool
		found, do              string // "" is not refused
	}{
		"kubernetes":               {home: "/vol", manager: bitbucket.ByKubernetes, found: "Kubernetes", do: variables},
		"swarm":                    {home: "/vol", manager: bitbucket.BySwarm, found: "swarm", do: "docker service update"},
		"docker run":               {home: "/vol", manager: bitbucket.ByHand, found: "docker run", do: "-e SERVER_PROXY_NAME=git.example.com"},
		"a home inside":            {manager: bitbucket.ByCompose, found: "/inside is a path inside it", do: variables},
		"a home inside, old image": {manager: bitbucket.ByCompose, version: "4.14.3", found: "inside", do: "CATALINA_CONTEXT_PATH=/bitbucket CATALINA_CONNECTOR_PROXYNAME=git.example.com"},
		"a volume, --local-only":   {home: "/vol", local: true, found: "--local-only", do: "127.0.0.1:7990:7990"},
		"a volume":                 {home: "/vol", manager: bitbucket.ByCompose},
		"a volume, unknown":        {home: "/vol"},
	} {
		f := Facts{Bitbucket: bitbucket.Install{PID: 7, Home: c.home, Version: c.version, Container: &bitbucket.Container{Manager: c.manager, Home: "/inside"}}}
		b := builder{f: f, a: Answers{URL: url, LocalOnly: c.local}}
		err := b.container()
		if (err != nil) != (c.found != "") {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && (!strings.Contains(err.Error(), c.found) || !strings.Contains(problemDo(err), c.do)) {
			t.Errorf("%s: %v; do: %s", name, err, problemDo(err))
		}
		b.a.Skip = []string{StepContextPath, StepConnector}
		if err := b.container(); err != nil {
			t.Errorf("%s, without Bitbucket's own steps: %v", name, err)
		}
	}
}

func problemDo(err error) string { return strings.Join(problem.Explain(err).Do, "; ") }
