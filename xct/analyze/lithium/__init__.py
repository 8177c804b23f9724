"""What grey values of particles say of their lithium."""
