package plant

import (
	"fmt"
	"slices"
)

// checkObject holds an object to what §4 says of several fields together.
func checkObject(form string, o mObject) error {
	if sound, known := modelSound[form]; known && !sound(o) {
		return fmt.Errorf("%s contradicts itself: %w", form, errModelForm)
	}
	return nil
}

var modelSound = map[string]func(mObject) bool{
	"pubkey":    func(o mObject) bool { return modelKey(o).sound() },
	"genesis":   soundAdmins,
	"statement": soundStatement,
	"change":    soundChange,
	"header":    func(o mObject) bool { return o.str("also") != o.str("prev") },
	"order":     soundOrder,
	"operation": func(o mObject) bool {
		parts := int64(0)
		for _, n := range o.objs("inputs") {
			parts += n.num("count")
		}
		return parts <= 64 && !(o.has("inputs") && o.has("consumed_by"))
	},
	"limit": func(o mObject) bool {
		unit := slices.Contains([]string{"g", "mg", "kg"}, o.str("unit"))
		return o.num("min") <= o.num("max") && (o.str("name") != "weight" || o.num("max") > 0 && unit)
	},
	"report": func(o mObject) bool {
		if o.num("outcome") == 1 {
			return !o.has("failure")
		}
		return !o.has("inputs")
	},
	"verdict":     func(o mObject) bool { return o.num("ruling") == 1 || o.has("reason") },
	"disposition": soundDisposition,
	"withdraw":    func(o mObject) bool { return o.has("target") != o.has("keeps") },
	"amend": func(o mObject) bool {
		return o.has("measurements") || o.has("weight") || o.has("failure") || o.has("note")
	},
	"bind": func(o mObject) bool { return o.has("tags") || o.has("supersedes") },
}

func soundAdmins(o mObject) bool {
	admins := modelAdmins(o)
	for i, a := range admins {
		for _, b := range admins[:i] {
			if a.key == b.key {
				return false
			}
		}
	}
	n, threshold := int64(len(admins)), o.num("threshold")
	return 2*threshold > n && threshold <= n
}

func soundStatement(o mObject) bool {
	changes := o.objs("changes")
	redeems := func(c mObject) bool { return c.num("kind") == 7 }
	return len(changes) == 1 || !slices.ContainsFunc(changes, redeems)
}

// modelChanges is the table of changes: what each must and may have.
var modelChanges = map[int64][2][]string{
	1: {{"name", "key", "roles"}, {}},
	2: {{"subject", "station"}, {"work_centre", "intake"}},
	3: {{"subject"}, {"heads"}},
	4: {{"admins", "threshold"}, {}},
	5: {{"name"}, {"value"}},
	6: {{"name", "key", "roles"}, {"station", "work_centre", "intake"}},
	7: {{"subject", "key"}, {}},
}

func soundChange(o mObject) bool {
	must, may := modelChanges[o.num("kind")][0], modelChanges[o.num("kind")][1]
	for _, name := range must {
		if !o.has(name) {
			return false
		}
	}
	for name := range o {
		if name != "kind" && !slices.Contains(must, name) && !slices.Contains(may, name) {
			return false
		}
	}
	if o.num("kind") == 6 {
		gateway := o.num("roles")&roleGateway != 0
		station := o.has("station")
		return (gateway || !station) && (station || !o.has("work_centre") && !o.has("intake"))
	}
	return o.num("kind") != 4 || soundAdmins(o)
}

func soundDisposition(o mObject) bool {
	names := []string{"operation", "task", "place"}
	wanted := o.num("ruling") <= 6
	return !slices.ContainsFunc(names, func(n string) bool { return o.has(n) != wanted })
}

func soundOrder(o mObject) bool {
	if o.has("cancelled") == o.has("routing") || o.has("cancelled") && !o.has("replaces") {
		return false
	}
	return soundRouting(o.objs("routing"))
}

// soundRouting is §4.3. before[a][b] says that a must be done before b.
func soundRouting(routing []mObject) bool {
	before := map[string]map[string]bool{}
	for _, op := range routing {
		before[op.str("id")] = map[string]bool{}
	}
	for _, op := range routing {
		for _, need := range op.strs("needs") {
			if before[need] == nil {
				return false
			}
			before[need][op.str("id")] = true
		}
	}
	for k := range before {
		for i := range before {
			for j := range before {
				if before[i][k] && before[k][j] {
					before[i][j] = true
				}
			}
		}
	}
	for _, op := range routing {
		id := op.str("id")
		if before[id][id] {
			return false
		}
		if !op.has("consumed_by") {
			continue
		}
		for other := range before {
			if other != id && !before[other][id] {
				return false
			}
		}
	}
	return modelWidth(before) <= 16
}

// modelWidth is the size of the largest set of operations that may be ready at
// once: by Dilworth's theorem their number less a greatest matching of the pairs
// of which one comes before the other.
func modelWidth(before map[string]map[string]bool) int {
	ids := sortedKeys(before)
	matched := map[string]string{} // later to earlier
	var find func(a string, tried map[string]bool) bool
	find = func(a string, tried map[string]bool) bool {
		for _, b := range ids {
			if !before[a][b] || tried[b] {
				continue
			}
			tried[b] = true
			if holder, taken := matched[b]; !taken || find(holder, tried) {
				matched[b] = a
				return true
			}
		}
		return false
	}
	width := len(ids)
	for _, a := range ids {
		if find(a, map[string]bool{}) {
			width--
		}
	}
	return width
}
