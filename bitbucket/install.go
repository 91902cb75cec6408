package bitbucket

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"

	"bitgate/internal/atomicfile"

	"bitgate/internal/unit"
)

// Search says where to look. Zero fields are found out.
type Search struct {
	Home, Install, Version string // the administrator's word, beats detection
	Proc                   string // "/proc"; tests use a directory of their own
	Root                   string // "" or a prefix before the default paths, for tests
}

// Install is what Detect found on disk and in the process table. Why names the
// source of each found field, by field name ("Home": "-Dbitbucket.home of process 812").
type Install struct {
	Product   string // "Bitbucket" or "Stash"
	Version   string // "9.4.16", "" if unknown
	Home      string
	Dir       string     // install directory, "" if unknown
	UID, GID  int        // owner of the home (-1 unknown)
	PID       int        // running process, 0 if none seen
	Container *Container // where the process runs in one
	Doubt     string     // why it may be somebody else's program that calls itself Bitbucket; "" where root or --home vouches for it
	Overrides []Override
	Why       map[string]string
	Notes     []string // what a person should know, e.g. both property files present
}

// Override is a setting outside the files that beats them (environment, -D,
// SPRING_APPLICATION_JSON of the process or its unit).
type Override struct {
	Key   string // property key, e.g. "server.context-path"
	Where string // e.g. "environment of process 812, SERVER_CONTEXT_PATH"
	Value string // as set; "" where the key could hold a secret
}

// Detect finds the installation. It only reads. An install that cannot be
// found is not an error: the fields stay empty. The administrator's word goes
// first, then the running process, its unit, the start scripts, and last the
// paths of Atlassian's Linux installer.
func Detect(ctx context.Context, s Search) (Install, error) {
	s.Proc = cmp.Or(s.Proc, "/proc")
	in := &Install{UID: -1, GID: -1, Why: map[string]string{}}
	processes, err := findProcesses(ctx, s.Proc)
	if err != nil {
		return *in, err
	}
	units, err := unit.Find(ctx, s.Root, runsBitbucket)
	if err != nil {
		return *in, err
	}
	p, err := in.chooseProcess(processes, s)
	if err != nil {
		return *in, err
	}
	all := units
	units = in.unitsOf(units, s)
	if p != nil {
		if in.Container, err = p.container(ctx); err != nil {
			return *in, err
		}
	}
	if in.Container != nil {
		units = nil // at best they start the client of the container's engine
		in.enter(s, p)
	} else {
		in.findDir(s, p, units)
		in.findHome(s, p, units)
	}
	if p != nil {
		if err := in.identify(p, s, all); err != nil {
			return *in, err
		}
	}
	in.findOwner()
	in.findVersion(s)
	in.findProduct(p)
	if p != nil {
		in.describeProcess(p, s.Proc)
	}
	in.findOverrides(p, units)
	in.lookForTraps()
	return *in, ctx.Err()
}

// set gives a field its value unless an earlier, better source did.
func (in *Install) set(name string, field *string, value, why string) {
	if *field == "" && value != "" {
		*field = value
		in.Why[name] = why
	}
}

func (in *Install) note(format string, args ...any) {
	in.Notes = append(in.Notes, fmt.Sprintf(format, args...))
}

// chooseProcess takes the process that belongs to the directories the
// administrator named, else the first one, and says so when there are several.
// Those of several users are refused: one of them may be an impostor.
func (in *Install) chooseProcess(processes []process, s Search) (*process, error) {
	var found []*process
	for i := range processes {
		p := &processes[i]
		if !p.at(s) {
			continue
		}
		if !p.ownHome(s.Home) {
			in.note("%s: not believed, for that home is not its user's", p.who())
			continue
		}
		found = append(found, p)
	}
	if len(found) == 0 {
		return nil, nil
	}
	for _, other := range found[1:] {
		if other.uid != found[0].uid {
			var all []string
			for _, p := range found {
				all = append(all, p.who())
			}
			return nil, chooseHome("several users run what calls itself Bitbucket: " + strings.Join(all, "; "))
		}
	}
	for _, other := range found[1:] {
		if !samePath(other.home, found[0].home) {
			in.note("more than one instance runs here: process %d (home %s) and process %d (home %s); --home chooses",
				found[0].pid, found[0].home, other.pid, other.home)
		}
	}
	return found[0], nil
}

// enter takes the folders of this machine behind the paths of a process in a
// container. A path that is one inside it alone is left out, for below it this
// machine may have anything.
func (in *Install) enter(s Search, p *process) {
	in.set("Home", &in.Home, s.Home, "given")
	in.set("Home", &in.Home, p.pathHere(p.home), fmt.Sprintf("%s in the container of process %d", p.home, p.pid))
	if in.Home == "" {
		in.note("process %d runs in a container: %s is a path inside it", p.pid, p.home)
	}
	in.set("Version", &in.Version, strings.TrimSpace(s.Version), "given")
	if dir := p.systemProperty("bitbucket.install"); dir != "" && in.Version == "" {
		inside := Install{Dir: p.inside(p.absolute(dir)), Why: map[string]string{}}
		inside.versionFromInstall()
		in.set("Version", &in.Version, inside.Version, fmt.Sprintf("%s in the container of process %d", dir, p.pid))
	}
}

// unitsOf leaves out the units of another instance.
func (in *Install) unitsOf(units []unit.Service, s Search) []unit.Service {
	var own []unit.Service
	for _, u := range units {
		home := u.Variable("BITBUCKET_HOME").Value
		if agree(home, s.Home) && agree(programDir(u), s.Install) &&
			(s.Home == "" || home != "" || agree(homeOfInstall(programDir(u)), s.Home)) {
			own = append(own, u)
		}
	}
	return own
}

// agree reports whether two directories can belong to one instance: they are
// the same, or one of them is not known.
func agree(a, b string) bool { return a == "" || b == "" || samePath(a, b) }

func (in *Install) findOwner() {
	if in.Home == "" {
		return
	}
	info, err := atomicfile.Stat(in.Home)
	if err != nil {
		in.note("%s, the home directory by %s, cannot be read: %v", in.Home, in.Why["Home"], err)
		return
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		in.UID, in.GID = int(st.Uid), int(st.Gid)
		in.Why["UID"] = "owner of " + in.Home
	}
}

// lookForTraps notes what keeps Bitbucket from starting or makes an edit void.
func (in *Install) lookForTraps() {
	if in.Home == "" {
		return
	}
	shared := filepath.Join(in.Home, "shared")
	if isFile(filepath.Join(shared, "stash-config.properties")) && isFile(filepath.Join(shared, "bitbucket.properties")) {
		in.note("both stash-config.properties and bitbucket.properties lie in %s: Bitbucket 4.x does not start with both, later versions read bitbucket.properties; move the old file away", shared)
	}
	if l, err := in.Layout(); err == nil && l.DeadXML != "" {
		in.note("%s is not read by Bitbucket 5.0 and later: edits there have no effect", l.DeadXML)
	}
	in.noteUnread(shared)
	if in.UID == imageUID && in.Container == nil {
		in.note("the home directory belongs to uid %d, the user of Atlassian's container image: if Bitbucket runs in a container, its settings belong into the container's environment", imageUID)
	}
}

// noteUnread tells of settings in files that this version does not read, where
// people have put them by mistake or older versions had them.
func (in *Install) noteUnread(shared string) {
	l, err := in.Layout()
	if err != nil {
		return
	}
	reads := filepath.Base(l.Properties)
	places := []string{filepath.Join(in.Home, reads)}
	if in.Dir != "" {
		places = append(places, filepath.Join(in.Dir, reads), filepath.Join(in.Dir, "conf", reads))
	}
	if filepath.Dir(l.Properties) != shared {
		places = append(places, filepath.Join(shared, reads))
	}
	for _, path := range places {
		if !samePath(path, l.Properties) && isFile(path) {
			in.note("%s is not read: this version reads %s; move over what is still wanted, and the file away", path, l.Properties)
		}
	}
	if scripts := filepath.Join(in.Dir, "conf", "scripts.cfg"); in.Dir != "" && l.ScriptsCfg == "" && isFile(scripts) {
		in.note("%s is not read by this version: settings there have no effect", scripts)
	}
}

func samePath(a, b string) bool {
	if filepath.Clean(a) == filepath.Clean(b) {
		return true
	}
	ra, errA := filepath.EvalSymlinks(a)
	rb, errB := filepath.EvalSymlinks(b)
	return errA == nil && errB == nil && ra == rb
}

func isFile(path string) bool {
	info, err := atomicfile.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

func isDir(path string) bool {
	info, err := atomicfile.Stat(path)
	return err == nil && info.IsDir()
}
