package station

// Awaiting counts the answers of the disk and the scale that are still due.
func (m *Machine) Awaiting() (n int) {
	for _, p := range m.spots {
		for _, c := range p.scans {
			if c.phase != settled {
				n++
			}
		}
	}
	return n
}

// Scans counts what lies on the readers or is queued there.
func (m *Machine) Scans() (n int) {
	for _, p := range m.spots {
		n += len(p.scans)
	}
	return n
}

// Oversized names a part of the memory that is larger than its bound; empty: none.
func (m *Machine) Oversized() string {
	for _, p := range m.spots {
		switch {
		case len(p.tags) > maxTags:
			return "tags"
		case len(p.scans) > maxQueue+1:
			return "scans"
		}
	}
	switch {
	case len(m.waiting) > maxWaiting:
		return "waiting"
	case len(m.accepted) > maxAccepted:
		return "accepted"
	case len(m.shift) > maxShift:
		return "shift"
	case m.notices > maxNotices+1:
		return "notices"
	}
	return ""
}
