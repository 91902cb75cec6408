package interview

import (
	"strings"

	"bitgate/internal/node"
	"bitgate/setup"
)

// nodesQuestion names the nodes of a cluster. It is asked where there are signs
// of one, and can be answered unasked by flag, file or the list of all answers.
func nodesQuestion() Question {
	q := listField(Question{
		ID: "node", Step: StepBitbucket, Title: "Nodes of the Data Center cluster", Arg: "NAME=HOST:PORT", Example: "node1=10.0.0.1:7990, node2=10.0.0.2:7990",
		Why:   "The front balances the load between the nodes and keeps each user at one; every node reads its files from the shared home only when it starts.",
		Help:  "node of a Data Center cluster: a name of letters, digits, - and _, and the address of its connector (repeat)",
		Asked: "when the home is on NFS or the configuration is a cluster's", Slow: true, Looks: true,
		when: func(iv *Interview) bool { return iv.Facts.Cluster.Set || len(iv.Answers.Nodes) > 0 },
		Because: func(f setup.Facts, a setup.Answers) string {
			if len(a.Nodes) == 0 {
				return f.Cluster.Why
			}
			return ""
		},
	}, func(a *setup.Answers) *[]string { return &a.Nodes }, func(text string) error { _, err := node.Parse(text); return err })
	set := q.Set
	q.Set = func(a *setup.Answers, text string) error {
		all := *a
		if err := set(&all, text); err != nil {
			return err
		}
		if _, err := node.ParseAll(all.Nodes); err != nil {
			return err
		}
		*a = all
		return nil
	}
	return q
}

func partialQuestion() Question {
	return yesField(Question{
		ID: "partial-service", Step: setup.StepHAProxy, Title: "Go on without nodes that do not answer",
		Why:     "The front is changed only when each node serves, unless you agree to serve with a part of them.",
		Help:    "change the front although not every node serves",
		Default: "no", Asked: "when a node does not answer",
		Options: []Option{{"no", "No, wait until all of them serve"}, {"yes", "Yes, the others join when they start"}},
		when:    func(iv *Interview) bool { return silentNodes(iv.Facts) != "" },
		Because: func(f setup.Facts, _ setup.Answers) string { return silentNodes(f) },
	}, func(a *setup.Answers) *bool { return &a.PartialService })
}

// silentNodes names the nodes that do not answer, "" for none.
func silentNodes(f setup.Facts) string {
	var names []string
	for _, n := range f.Nodes {
		if n.State == stateUnreachable {
			names = append(names, n.Name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "no answer from " + strings.Join(names, ", ")
}
