package bitbucket

import (
	"cmp"
	"fmt"
	"path"
	"path/filepath"
	"strings"

	"bitgate/internal/problem"
	"bitgate/internal/trusted"
	"bitgate/internal/unit"
)

// Whose word is a process? Anybody can start one that is called java and has
// -Dbitbucket.home among its arguments. What he cannot have is the user of the
// real one, a place in the files of root, or a unit of the system's:
//
//   - a process counts only with a home of its own user (or root's, or a home
//     that is root's): nobody speaks for the home of another;
//   - processes of several users are several instances, and --home has to choose;
//   - where files of root's (units, start scripts, the installer's usual paths)
//     name another home, --home has to choose;
//   - where none of root's names its home, and neither did the administrator, the
//     instance is doubtful: it is looked at, but gets no secret (Install.Doubt).

func (p *process) who() string {
	home := cmp.Or(p.home, "not told")
	return fmt.Sprintf("process %d of %s, home %s", p.pid, trusted.Who(p.uid), home)
}

// ownHome: the home a process names (or the administrator, where it names none)
// is its user's.
func (p *process) ownHome(said string) bool {
	home := cmp.Or(p.home, said)
	if p.contained != "" && p.home != "" {
		home = p.inside(home)
	}
	owner, known := OwnerOf(home)
	return !known || p.uid == 0 || owner == p.uid || trusted.User(owner)
}

// claim is a home that a file of root's names.
type claim struct{ home, why string }

// claims lists what files of root's say about homes.
func claims(s Search, units []unit.Service) []claim {
	var out []claim
	add := func(home, why string) {
		if filepath.IsAbs(home) {
			out = append(out, claim{filepath.Clean(home), why})
		}
	}
	for _, u := range units {
		for _, name := range []string{"BITBUCKET_HOME", "STASH_HOME"} {
			v := u.Variable(name)
			add(v.Value, "unit "+u.Name)
		}
		add(homeOfInstall(programDir(u)), "start script of unit "+u.Name)
	}
	add(homeOfInstall(s.Install), "start script in "+s.Install)
	for _, name := range []string{"bitbucket", "stash"} {
		base := filepath.Join("/", s.Root, "opt/atlassian", name)
		for _, dir := range append([]string{base}, newestFirst(base)...) {
			add(homeOfInstall(dir), "start script in "+dir)
		}
		if dir := filepath.Join("/", s.Root, "var/atlassian/application-data", name); isDir(dir) {
			add(dir, "Atlassian's usual path")
		}
	}
	return out
}

// identify judges the chosen process by what root's files say.
func (in *Install) identify(p *process, s Search, units []unit.Service) error {
	if s.Home != "" || trusted.User(p.uid) || p.startedBy(units, s.Proc) {
		return nil
	}
	if p.contained != "" { // what files of this machine claim is another instance
		if !strings.HasPrefix(p.engineGroup(), "/user.slice") && p.engineGroup() != "" {
			return nil // root's engine started it
		}
		in.Doubt = "only " + p.who() + " in a container says that it is Bitbucket"
		return nil
	}
	all := claims(s, units)
	for _, c := range all {
		if samePath(c.home, in.Home) {
			return nil
		}
	}
	if len(all) > 0 {
		return chooseHome(fmt.Sprintf("%s, but the %s says that Bitbucket's home is %s", p.who(), all[0].why, all[0].home))
	}
	in.Doubt = "only " + p.who() + " says that it is Bitbucket"
	return nil
}

// startedBy: the process runs in a unit of the system's that is Bitbucket's. The
// units of a user are below user.slice.
func (p *process) startedBy(units []unit.Service, proc string) bool {
	for line := range strings.Lines(readLimited(filepath.Join(proc, fmt.Sprint(p.pid), "cgroup"), 64<<10)) {
		_, group, _ := strings.Cut(strings.TrimSpace(line), ":/system.slice/")
		name := path.Base(group)
		if before, _, instance := strings.Cut(name, "@"); instance {
			name = before + "@.service"
		}
		for _, u := range units {
			if group != "" && u.Name == name {
				return true
			}
		}
	}
	return false
}

func chooseHome(found string) error {
	return problem.New(found, "any user can start a program that calls itself Bitbucket; the administrator's password and the public address must not go to the wrong one",
		"say which home directory is the real one: --home DIR").WithKind(problem.Usage)
}
