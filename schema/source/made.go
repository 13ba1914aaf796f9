package source

import "sort"

// Stretch says where a piece of a made text comes from: the bytes from At up to the next stretch's stand for those
// from From to To of the text it was made of. Where both are equally long, each byte stands for itself.
type Stretch struct{ At, From, To int32 }

// Made is a text that was made of a file, as a template is rendered. It has the file's name, and its places are places
// in that file: a finding is shown where the user wrote what the text was made of. Lines, Text, Offset and FirstLine
// are about the text itself, and LineRange takes one of its own lines. The stretches are in order and the first is at
// 0; without any, every place is the beginning of the file.
func Made(of *File, text []byte, stretches []Stretch) *File {
	return &File{Name: of.Name, Bytes: text, Type: of.Type, whole: of.Whole(), made: &making{of, stretches, len(text)}}
}

// IsMade says that the text is not the user's own: nothing can be mended in it.
func (f *File) IsMade() bool { return f.made != nil }

// Bare is a file of the same text that stands alone, whose places are places in that text.
func (f *File) Bare() *File { return &File{Name: f.Name, Bytes: f.Bytes} }

type making struct {
	of        *File
	stretches []Stretch
	size      int
}

// places is the smallest part of the file that the text between two offsets was made of.
func (m *making) places(from, to int) (int, int) {
	i := sort.Search(len(m.stretches), func(i int) bool { return int(m.stretches[i].At) > from }) - 1
	if i < 0 {
		return 0, 0
	}
	if from >= to { // behind what is before it, rather than before what is behind it
		if i > 0 && int(m.stretches[i].At) == from {
			i--
		}
		start, end := m.place(i, from, from)
		if from > int(m.stretches[i].At) {
			start = end
		}
		return start, start
	}
	start, end := m.place(i, from, to)
	for i++; i < len(m.stretches) && int(m.stretches[i].At) < to; i++ {
		a, b := m.place(i, from, to)
		start, end = min(start, a), max(end, b)
	}
	return start, end
}

// place is what a stretch has of the part of the file that the text between two offsets was made of.
func (m *making) place(i, from, to int) (int, int) {
	s, next := m.stretches[i], m.size
	if i+1 < len(m.stretches) {
		next = int(m.stretches[i+1].At)
	}
	at, start, end := int(s.At), int(s.From), int(s.To)
	if next-at != end-start {
		return start, end
	}
	return start + min(max(from-at, 0), next-at), start + min(max(to-at, 0), next-at)
}
