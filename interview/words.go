package interview

import (
	"cmp"
	"fmt"
	"strings"

	"bitgate/setup"
)

// PlanSummary counts what apply will do.
func PlanSummary(p setup.Plan) string {
	changes, restarts, reloads := 0, 0, 0
	for _, ref := range p.Ordered() {
		c := p.At(ref)
		switch {
		case c.Service == nil:
			changes++
		case c.Service.Reloads():
			reloads++
		default:
			restarts++
		}
	}
	parts := []string{Count(changes, "change")}
	if restarts > 0 {
		parts = append(parts, Count(restarts, "restart"))
	}
	if reloads > 0 {
		parts = append(parts, Count(reloads, "reload"))
	}
	return strings.Join(parts, ", ")
}

// Effect is what people notice of a service change, as a sentence.
func Effect(s setup.ServiceChange) string {
	name := ServiceName(s.Target)
	if s.Target == "proxy" || s.Target == "renewal" {
		name = "The " + name
	}
	effect := s.Notice()
	switch {
	case effect == "":
		return fmt.Sprintf("%s %ss", name, s.Verb)
	case strings.HasPrefix(strings.ToLower(effect), strings.ToLower(name)):
		return strings.ToUpper(effect[:1]) + effect[1:]
	}
	return fmt.Sprintf("%s %ss (%s)", name, s.Verb, effect)
}

// ServiceName is a service of the plan as people call it.
func ServiceName(target string) string {
	switch target {
	case "bitbucket":
		return "Bitbucket"
	case "haproxy":
		return "HAProxy"
	case "proxy":
		return "built-in proxy"
	case "renewal":
		return "renewal timer"
	}
	return target
}

// Count is a number with its noun, "1 check", "2 checks".
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// StepOf counts as the documented page does: four steps, and SSH beside them.
func StepOf(n int) string {
	if n == len(Steps) {
		return "Optional"
	}
	return fmt.Sprintf("Step %d of %d", n, len(Steps)-1)
}

// OptionLabel is an answer as people read it.
func OptionLabel(q Question, text string) string {
	for _, o := range q.Selectable() {
		if o.Value == text {
			return o.Label
		}
	}
	return cmp.Or(text, "none")
}
