package station

import "slices"

// reconfigured goes on under another profile with what the machine knows. What
// was being weighed, or whose note was being read, is decided anew: whoever was to
// answer has ended.
func (s *step) reconfigured(e Reconfigured) {
	s.m.cfg = e.Config
	lost := func(reader string) bool { return slices.Contains(e.Lost, reader) }
	s.m.spots = slices.DeleteFunc(s.m.spots, func(p *spot) bool { return lost(p.reader) })
	if dark := lost(s.m.lit.Reader); dark || e.Relit {
		if dark {
			s.m.lit = Signal{Aspect: s.resting(), Quiet: true}
		}
		again := s.m.last
		again.Aspect, again.Recorded = s.m.lit.Aspect, false
		s.do(Show{again})
	}
	for _, p := range slices.Clone(s.m.spots) {
		if c := p.first(); c != nil && (c.phase == weighing || c.phase == reading) {
			c.asked = c.asked && c.phase != reading
			c.phase = settled
			s.decide(p, c)
		}
	}
	s.changed()
}
