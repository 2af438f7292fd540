"""What several kinds of tests share: a misbehaving network, a checker of what arrived, a timeline."""
