"""The anharmonicity score."""
