package bitbucket

import (
	"cmp"
	"context"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"bitgate/internal/atomicfile"
	"bitgate/internal/pattern"
)

// process is a running Bitbucket or Stash.
type process struct {
	pid     int
	uid     uint32
	args    []string
	env     []string // NAME=value, as the process got them
	cwd     string
	home    string
	homeWhy string // "-Dbitbucket.home" or the variable's name

	proc      string // the process table it was found in
	contained string // why its paths are not those of this machine; "" where they are
	group     string // its line of cgroup that shows that
}

// findProcesses lists the running instances in /proc, by rising process id.
func findProcesses(ctx context.Context, proc string) ([]process, error) {
	entries, err := os.ReadDir(proc)
	if err != nil {
		return nil, ctx.Err() // no /proc: nothing to be seen there
	}
	var found []process
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if p, ok := readProcess(filepath.Join(proc, e.Name()), pid); ok {
			found = append(found, p)
		}
	}
	sort.Slice(found, func(i, j int) bool { return found[i].pid < found[j].pid })
	return found, nil
}

func readProcess(dir string, pid int) (process, bool) {
	p := process{pid: pid, proc: filepath.Dir(dir), args: nulList(filepath.Join(dir, "cmdline"))}
	// The kernel gives the user of a process its folder (proc(5); also of one that is not
	// dumpable).
	p.uid, _ = OwnerOf(dir)
	if len(p.args) == 0 || filepath.Base(p.args[0]) != "java" {
		return p, false
	}
	p.env = nulList(filepath.Join(dir, "environ"))
	if !p.isBitbucket() {
		return p, false
	}
	p.cwd, _ = os.Readlink(filepath.Join(dir, "cwd"))
	for _, key := range []string{"bitbucket.home", "stash.home"} {
		if v := p.systemProperty(key); v != "" && p.home == "" {
			p.home, p.homeWhy = p.absolute(v), "-D"+key
		}
	}
	for _, name := range []string{"BITBUCKET_HOME", "STASH_HOME"} {
		if v := p.variable(name); v != "" && p.home == "" {
			p.home, p.homeWhy = p.absolute(v), name+" in the environment"
		}
	}
	if !p.hasOurRoot() {
		p.group, p.contained = containerOf(dir)
	}
	return p, true
}

// isBitbucket recognises the Java process itself by a whole argument, not by
// the text of a shell's -c, and leaves out its search server and Mesh.
func (p *process) isBitbucket() bool {
	for _, a := range p.args[1:] {
		switch {
		case strings.HasPrefix(a, "-Dbitbucket.home="), strings.HasPrefix(a, "-Dstash.home="),
			strings.HasPrefix(a, "-Dbitbucket.install="),
			strings.EqualFold(a, "-Datlassian.standalone=BITBUCKET"),
			strings.EqualFold(a, "-Datlassian.standalone=STASH"),
			a == "com.atlassian.bitbucket.internal.launcher.BitbucketServerLauncher":
			return true
		case a == "org.apache.catalina.startup.Bootstrap": // up to 4.x
			return p.variable("BITBUCKET_HOME") != "" || p.variable("STASH_HOME") != ""
		}
	}
	return false
}

// systemProperty returns the value of the last -Dkey=value, as Java does.
func (p *process) systemProperty(key string) string {
	value := ""
	for _, a := range p.args {
		if v, ok := strings.CutPrefix(a, "-D"+key+"="); ok {
			value = v
		}
	}
	return value
}

func (p *process) variable(name string) string {
	for _, e := range p.env {
		if v, ok := strings.CutPrefix(e, name+"="); ok {
			return v
		}
	}
	return ""
}

func (p *process) absolute(path string) string {
	if !filepath.IsAbs(path) && p.cwd != "" {
		path = filepath.Join(p.cwd, path)
	}
	return filepath.Clean(path)
}

// describeProcess records id and a root user.
func (in *Install) describeProcess(p *process, proc string) {
	in.PID = p.pid
	in.Why["PID"] = "Java process with " + cmp.Or(p.homeWhy, "Bitbucket's launcher")
	dir := filepath.Join(proc, strconv.Itoa(p.pid))
	if rootUser().MatchString(readLimited(filepath.Join(dir, "status"), 64<<10)) {
		in.note("Bitbucket (process %d) runs as root: Atlassian advises a user of its own", p.pid)
	}
}

var rootUser = pattern.Lazy(`(?m)^Uid:\s+\d+\s+0\s`)

// nulList reads the NUL-separated files of /proc.
func nulList(path string) []string {
	text := strings.TrimRight(readLimited(path, 1<<20), "\x00")
	if text == "" {
		return nil
	}
	return strings.Split(text, "\x00")
}

// readLimited returns up to limit bytes of a file, "" where it cannot be read
// or is no regular file.
func readLimited(path string, limit int64) string {
	f, err := atomicfile.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	data, _ := io.ReadAll(io.LimitReader(f, limit))
	return string(data)
}
