package ledger

import "fmt"

// bench is what is in work at a station: assemblies and the parts that wait for
// them. Parts go to the assemblies in the order in which both were accepted, so
// that what the light said of a part stays true.
type bench struct {
	parents []parent
}

type parent struct {
	sheet  Sheet
	needs  []Need  // still missing
	inputs []Input // parts assigned
	parts  map[ItemID]bool
}

// bench lays out what is in work here. extra is the scanned item at an
// operation that it is not yet in work for; zero: none.
func (v visit) bench(extra Operation) bench {
	var b bench
	var parts []Sheet
	for _, s := range v.scan.InWorkHere {
		st := s.Item.State()
		if st.Phase != InWork || st.Station != v.here.Station || st.By != v.here.Gateway {
			continue
		}
		op, _ := s.Order.operationOf(st.Operation)
		switch {
		case op.ConsumedBy != "" && s.OrderCancelled: // held: it must not be built in
		case op.ConsumedBy != "":
			parts = append(parts, s)
		case len(op.Inputs) > 0:
			b.add(s, op)
		}
	}
	if len(extra.Inputs) > 0 && b.parent(v.sheet.Item.ID) == nil {
		b.add(v.sheet, extra)
	}
	for _, s := range parts {
		op, _ := s.Order.operationOf(s.Item.State().Operation)
		b.assign(s, op.ConsumedBy)
	}
	return b
}

func (b *bench) add(s Sheet, op Operation) {
	var needs []Need
	if !s.builtIn(op.ID) {
		needs = append(needs, op.Inputs...)
	}
	b.parents = append(b.parents, parent{sheet: s, needs: needs, parts: map[ItemID]bool{}})
}

func (b *bench) parent(id ItemID) *parent {
	for i := range b.parents {
		if b.parents[i].sheet.Item.ID == id {
			return &b.parents[i]
		}
	}
	return nil
}

// holderOf returns the assembly that a part is assigned to.
func (b *bench) holderOf(part ItemID) *parent {
	for i := range b.parents {
		if b.parents[i].parts[part] {
			return &b.parents[i]
		}
	}
	return nil
}

// taker returns the first assembly of product consumer that still needs the part.
func (b *bench) taker(part Sheet, consumer string) *parent {
	for i := range b.parents {
		p := &b.parents[i]
		if p.sheet.Item.Product != consumer {
			continue
		}
		for _, n := range p.needs {
			if n.Product == part.Item.Product {
				return p
			}
		}
	}
	return nil
}

// assign gives the part to the assembly that takes it; nil if none does.
func (b *bench) assign(part Sheet, consumer string) *parent {
	p := b.taker(part, consumer)
	if p == nil {
		return nil
	}
	for i := range p.needs {
		if p.needs[i].Product != part.Item.Product {
			continue
		}
		if p.needs[i].Count--; p.needs[i].Count == 0 {
			p.needs = append(p.needs[:i], p.needs[i+1:]...)
		}
		break
	}
	p.inputs = append(p.inputs, Input{Item: part.Item.ID, Head: part.Item.HeadIDs[0]})
	p.parts[part.Item.ID] = true
	return p
}

// inputs returns the parts for the scanned item at op, and what is missing.
func (v visit) inputs(op Operation) (inputs []Input, missing []Need) {
	if len(op.Inputs) == 0 {
		return nil, nil
	}
	b := v.bench(op)
	p := b.parent(v.sheet.Item.ID)
	return p.inputs, p.needs
}

func (v visit) missingInputs(op Operation, task string, missing []Need) Decision {
	d := v.answer(Wait, ReasonMissingInputs)
	d.Operation, d.Task, d.Missing = op.ID, task, missing
	var all int64
	for _, n := range op.Inputs {
		all += n.Count
	}
	here := all
	for _, n := range missing {
		here -= n.Count
	}
	d.Expected = fmt.Sprintf("all %d parts of %s", all, op.ID)
	d.Found = fmt.Sprintf("%d of them, missing: %s", here, needWords(missing))
	d.Do = "Scan the missing parts, then this item again."
	return d
}

// unwanted reports whether assemblies are in work here and none needs the part,
// which op would have consumed.
func (v visit) unwanted(op Operation) bool {
	if op.ConsumedBy == "" {
		return false
	}
	b := v.bench(Operation{})
	return len(b.parents) > 0 && b.taker(v.sheet, op.ConsumedBy) == nil
}

func (v visit) notNeeded(o Option) Decision {
	d := v.answer(Wait, ReasonNotNeeded)
	d.Operation, d.Task = o.Operation, o.Task
	b := v.bench(Operation{})
	for _, p := range b.parents {
		if len(p.needs) > 0 {
			d.Missing = p.needs
			d.Expected = fmt.Sprintf("for %s: %s", p.sheet.Item.Label, needWords(p.needs))
			d.Found = fmt.Sprintf("wrong part: %s (%s)", v.sheet.Item.Label, v.sheet.Item.Product)
			d.Do = "Put this part back and scan one that is missing."
			return d
		}
	}
	d.Expected = "an assembly that needs a part"
	d.Found = fmt.Sprintf("one part too many: %s (%s)", v.sheet.Item.Label, v.sheet.Item.Product)
	d.Do = "Put this part back; all parts are here. Scan the assembly to complete it."
	return d
}

// part accepts a part at its assembly, or repeats that: it says which assembly
// it is for and how many are still missing. A part is never completed on its
// own: the assembly's report consumes it.
func (v visit) part(operation, task, reason string) Decision {
	d := v.answer(Accepted, reason)
	d.Operation, d.Task = operation, task
	op, _ := v.sheet.Order.operationOf(operation)
	d.Expected = fmt.Sprintf("a part for %s at %s", op.ConsumedBy, v.here.Station)
	d.Found = fmt.Sprintf("%s (%s)", v.sheet.Item.Label, v.sheet.Item.Product)
	b := v.bench(Operation{})
	p := b.holderOf(v.sheet.Item.ID)
	if p == nil {
		p = b.assign(v.sheet, op.ConsumedBy)
	}
	switch {
	case p == nil:
		d.Do = fmt.Sprintf("Keep it here and scan the %s that it goes into.", op.ConsumedBy)
	case len(p.needs) > 0:
		d.Missing = p.needs
		d.Do = fmt.Sprintf("It is for %s; still missing: %s.", p.sheet.Item.Label, needWords(p.needs))
	default:
		d.Do = fmt.Sprintf("It is for %s, which now has all its parts: build it in and scan %s.", p.sheet.Item.Label, p.sheet.Item.Label)
	}
	d.Do += v.orderNote()
	return d
}

// builtIn reports whether the parts of operation are in the item already: a report
// of it stands that consumed them. A return, or a ruling that has it done again,
// does not take them out.
func (s Sheet) builtIn(operation string) bool {
	h, ok := s.Item.Head()
	if !ok {
		return false
	}
	for _, n := range settled(s.Item.Lineage(h.Tx)) {
		if n.ownReport() && n.Operation == operation && n.Outcome == OutcomeOK {
			return true
		}
	}
	return false
}
