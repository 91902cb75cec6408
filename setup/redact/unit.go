package redact

import (
	"strings"

	"bitgate/internal/pattern"
	"bitgate/templates"
)

// shownDirectives are those of units whose values name units, users, paths, limits
// and modes (systemd.unit(5), systemd.service(5), systemd.exec(5), ...).
var shownDirectives = pattern.Words(`After Before Wants Requires Requisite BindsTo PartOf Conflicts OnFailure OnSuccess RequiresMountsFor DefaultDependencies
	WantedBy RequiredBy Also Alias StartLimitIntervalSec StartLimitBurst ConditionPathExists ConditionPathIsDirectory ConditionFileIsExecutable AssertPathExists
	Type PIDFile BusName Restart RestartSec TimeoutSec TimeoutStartSec TimeoutStopSec RuntimeMaxSec WatchdogSec NotifyAccess RemainAfterExit GuessMainPID
	KillMode KillSignal SendSIGKILL SuccessExitStatus RestartPreventExitStatus FileDescriptorStoreMax
	User Group SupplementaryGroups DynamicUser WorkingDirectory RootDirectory UMask Nice OOMScoreAdjust EnvironmentFile PassEnvironment LoadCredential
	StandardInput StandardOutput StandardError SyslogIdentifier SyslogFacility
	LimitNOFILE LimitNPROC LimitCORE LimitMEMLOCK LimitAS LimitFSIZE LimitSTACK MemoryHigh MemoryMax MemoryLow MemoryMin TasksMax CPUQuota CPUWeight
	Slice Delegate CapabilityBoundingSet AmbientCapabilities NoNewPrivileges ProtectSystem ProtectHome ProtectClock ProtectControlGroups ProtectHostname
	ProtectKernelLogs ProtectKernelModules ProtectKernelTunables ProtectProc ProcSubset PrivateTmp PrivateMounts PrivateDevices PrivateNetwork PrivateUsers
	PrivateIPC ReadWritePaths ReadOnlyPaths InaccessiblePaths BindPaths BindReadOnlyPaths StateDirectory CacheDirectory LogsDirectory LogsDirectoryMode
	RuntimeDirectory RuntimeDirectoryMode RuntimeDirectoryPreserve ConfigurationDirectory RestrictAddressFamilies RestrictNamespaces RestrictRealtime
	RestrictSUIDSGID SystemCallFilter SystemCallErrorNumber SystemCallArchitectures MemoryDenyWriteExecute LockPersonality RemoveIPC KeyringMode
	OnCalendar OnBootSec OnUnitActiveSec OnActiveSec RandomizedDelaySec FixedRandomDelay Persistent AccuracySec Unit
	ListenStream ListenDatagram Accept SocketMode SocketUser SocketGroup`)

var (
	directive = pattern.Lazy(`^([ \t]*)([A-Za-z][A-Za-z0-9-]*)([ \t]*=[ \t]*)(.*)$`)
	section   = pattern.Lazy(`^\s*\[[A-Za-z][\w-]*\]\s*$`)
	// program is the first word of a command: a path, behind what systemd reads first.
	program  = pattern.Lazy(`^[+\-!@:]*/[\w./@+-]*(?:\s|$)`)
	assigned = pattern.Lazy(`^[A-Za-z_]\w*=`)
	// wayOut is where the way out of a network leads, without a user or a password ("@").
	wayOut = pattern.Lazy(`^"?(?i:https?|all|no)_(?i:proxy)="?[\w.:/\[\], *+-]*"$`)
)

// unit shows what bitgate's own units say, and the values of known directives; of
// commands the program, of variables the names.
func unit(text string) []string {
	lines := strings.Split(text, "\n")
	goesOn := false
	for i, line := range lines {
		bare := strings.TrimSuffix(line, "\r")
		lead := indent(bare)
		was, comment := goesOn, strings.HasPrefix(bare[len(lead):], "#") || strings.HasPrefix(bare[len(lead):], ";")
		if !comment {
			goesOn = strings.HasSuffix(strings.TrimRight(bare, " \t"), `\`)
		}
		switch {
		case strings.TrimSpace(bare) == "", templates.Writes(bare), !was && section().MatchString(bare):
		case comment:
			lines[i] = lead + bare[len(lead):len(lead)+1] + " " + Hidden + end(line)
		case was:
			lines[i] = lead + Hidden + end(line)
		default:
			lines[i] = unitLine(bare, lead) + end(line)
		}
	}
	return lines
}

func unitLine(line, lead string) string {
	m := directive().FindStringSubmatch(line)
	if m == nil {
		return lead + Hidden
	}
	name, value := m[2], m[4]
	shown := Hidden
	switch {
	case value == "", shownDirectives()[name]:
		return line
	case strings.HasPrefix(name, "Exec"):
		if ours().MatchString(value) {
			return line
		}
		if found := program().FindString(value); found != "" {
			shown = found
			if len(found) < len(value) {
				shown += Hidden
			}
		}
	case name == "Environment" && wayOut().MatchString(value):
		return line
	case name == "Environment":
		shown = assigned().FindString(strings.TrimLeft(value, `"'`)) + Hidden
	}
	return m[1] + name + m[3] + shown
}
