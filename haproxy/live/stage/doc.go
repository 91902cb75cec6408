// Package stage runs a rehearsal: it starts HAProxy where it can reach nothing
// of the machine, asks it questions and says what came back.
//
// The stage is this program once more, in user, network, mount, process, IPC and
// UTS namespaces of its own (namespaces(7)). Its root directory is memory; system
// directories and the files that the configuration names are bound into it,
// read-only, and the folders of the configuration are copied into it, so that the
// candidate, the new key included, lies at its real path and nowhere on a disk.
// Its network holds no interface but loopback, on which all addresses are local
// (ip-route(8), "local" routes), so that every bind works as it stands and no
// packet has a way out. /run, /tmp and /dev are empty: no socket of the machine
// has a name there. With a user namespace of its own, root there has no right over
// anything outside.
//
// The stage is the first process of its namespace, and the kernel kills all others
// with it; it ends itself with its parent.
package stage

import (
	"time"

	"bitgate/haproxy/rehearsal"
)

// Command is the hidden command of bitgate that is the stage.
const Command = "stage"

// Setup says what the stage looks like. It is the first message to it.
type Setup struct {
	Bin    string   `json:"bin"`
	Arg0   string   `json:"arg0,omitempty"`
	Args   []string `json:"args"` // of the service, without the files
	Env    []string `json:"env"`
	Dir    string   `json:"dir"`            // working directory
	Bound  []string `json:"bound"`          // files and directories that are seen as they are
	Memory []string `json:"memory"`         // directories in which files are written
	User   *User    `json:"user,omitempty"` // that the service starts HAProxy as; nil: root
	Proc   bool     `json:"proc,omitempty"` // the program needs /proc
}

// User that HAProxy starts as.
type User struct {
	UID, GID uint32
	Binds    bool // with the right to take ports below 1024
	Chroots  bool // with the right to enter a chroot
}

// File is written before HAProxy starts.
type File struct {
	Path string `json:"path"`
	Data []byte `json:"data"`
}

// Load starts the front with other files; one that runs is ended first.
type Load struct {
	Files     []File   `json:"files"`
	Config    []string `json:"config"`    // arguments that load the files, "-f", ...
	Recorders []string `json:"recorders"` // addresses of the servers
	Hosts     []string `json:"hosts"`     // names that resolve
	Asked     string   `json:"asked"`     // address of the name server
	Doors     []string `json:"doors"`     // addresses of which one is waited for
	Ready     string   `json:"ready"`     // what the front says before it serves, "" for nothing
}

// Loaded is the answer to Load.
type Loaded struct {
	Running bool          `json:"running"`
	Output  string        `json:"output"` // what HAProxy said
	Took    time.Duration `json:"took"`
}

// message is what the parent sends after Setup, and reply what comes back.
type message struct {
	Load *Load               `json:"load,omitempty"`
	Ask  []rehearsal.Request `json:"ask,omitempty"`

	Limit time.Duration `json:"limit,omitempty"` // of each request
	End   bool          `json:"end,omitempty"`   // the front
}

type reply struct {
	Error   string             `json:"error,omitempty"` // the stage cannot be had
	Loaded  *Loaded            `json:"loaded,omitempty"`
	Answers []rehearsal.Answer `json:"answers,omitempty"`
	Memory  int64              `json:"memory,omitempty"` // of HAProxy, at most, in bytes
}
